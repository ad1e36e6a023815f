"""Queries that poetry does not speak of, made of what is sold, used, studied and filled in.

The embedder learns to keep them away from verses. The words were chosen without a look at
``not_poetry_report.txt``, which figures come from.
"""

from __future__ import annotations

import random

THINGS = """
    Python JavaScript 数据库 服务器 打印机 路由器 显卡 内存条 固态硬盘 蓝牙耳机 智能手表
    扫地机器人 电动汽车 充电桩 发动机 变速箱 刹车片 信用卡 公积金 社保 个人所得税 增值税
    发票 报销单 劳动合同 营业执照 专利申请 商标 房产证 身份证 护照 签证 驾驶证 保险理赔 基金
    股票 期货 债券 比特币 汇率 贷款利率 首付 按揭 物业费 燃气费 宽带套餐 流量套餐 手机号
    验证码 密码 账号 快递单号 优惠券 退款 客服 直播间 短视频 公众号 小程序 表格 幻灯片 PDF
    电子邮件 附件 云盘 虚拟机 操作系统 防火墙 杀毒软件 编译器 单元测试 接口文档 正则表达式
    二叉树 哈希表 神经网络 大语言模型 机器学习 芯片 半导体 传感器 激光雷达 无人机 卫星导航
    核电站 太阳能电池板 空调 洗衣机 冰箱 微波炉 热水器 吸尘器 净水器 马桶 插座 变压器 水表
    混凝土 钢筋 脚手架 起重机 叉车 集装箱 供应链 库存 绩效考核 面试 简历 出差 会议纪要
    年终奖 加班费 考研 雅思 高考志愿 学分 毕业论文 查重率 微积分 线性代数 概率论 方程组
    元素周期表 化学方程式 电磁感应 热力学 细胞膜 染色体 抗生素 疫苗 胰岛素 血脂 核磁共振 CT
    牙套 近视手术 医保卡 挂号 处方药 体检报告 食品添加剂 卡路里 蛋白粉 健身房 羽毛球拍
    篮球联赛 世界杯 奥运会 足球越位 电竞 手游 键盘 鼠标 显示器 摄像头 蓝光 投影仪 音响
    地铁线路 高铁票 航班 登机口 停车费 违章 交通事故 导航软件 共享单车 加油站 轮胎 安全气囊
    法院 律师 诉讼费 仲裁 合同违约 知识产权 选举 议会 关税 通货膨胀 央行 国内生产总值
    上市公司 财务报表 审计 市盈率 电子商务 二维码 区块链 量子计算 API HTTP Linux Excel Word
    SQL Docker Git iPhone WiFi USB
"""

QUESTIONS = """
    如何安装{a} {a}多少钱 {a}怎么选购 {a}的使用说明 {a}和{b}的区别 怎么办理{a}
    {a}无法正常工作怎么办 {a}价格对比 {a}常见问题 最新的{a}政策 {a}申请流程 {a}教程
    {a}排行榜 {a}故障代码 推荐一款{a} {a}的参数配置 为什么{a}会失效 {a}，{b} {a}行业分析报告
    用{a}处理{b} {a}最低配置要求 {a}在线查询 {a}的工作原理 关于{a}的规定 {a}维修电话 下载{a}
    {a}升级后出错 {a}测试报告 {a}怎么计算 {a}注意事项 {a} 申请{a}需要哪些材料
    {a}到期了怎么续 公司的{a}管理制度 {a}接口返回错误
"""


def queries(count: int, seed: int = 8) -> list[str]:
    """So many different queries, at random."""
    draw = random.Random(seed)
    things, questions = THINGS.split(), QUESTIONS.split()
    made: set[str] = set()
    while len(made) < count:
        question = draw.choice(questions)
        made.add(question.format(a=draw.choice(things), b=draw.choice(things)))
    return sorted(made)
