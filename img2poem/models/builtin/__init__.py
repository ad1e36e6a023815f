"""The models that ship with img2poem, run by onnxruntime."""
