"""The library behind the nodes: plain, typed Python. Only `host` knows about ComfyUI."""
