"""Stand-ins for large packages that ComfyUI imports, none of which the device checks use.

In the archive that pack.py makes this file is called sitecustomize.py, so Python runs it before all else.
What is really there is taken; of what is not, a name can be imported and not used: whoever calls it is told.
"""

import importlib.machinery
import importlib.util
import sys
import types

#: What they are for: pictures and sounds of models that are not drawn with here, and other solvers' sums.
NAMES = ("av", "cv2", "scipy", "torchaudio", "torchvision")


class _Anything(type):
    """A class whose attributes are stand-ins, too: enums and bases are read when modules are imported."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _stand_in(f"{cls.__qualname__}.{name}")

    def __call__(cls, *_, **__):
        raise ImportError(f"{cls.__qualname__} is not in this archive: no device check was to need it.")


def _stand_in(name):
    return _Anything(name.rsplit(".", 1)[-1], (), {"__qualname__": name})


class _Module(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _stand_in(f"{self.__name__}.{name}")


class Finder:
    """The last one asked: what is really there was found before."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] not in NAMES:
            return None
        if _asks_whether_there():
            return None
        return importlib.machinery.ModuleSpec(name, Finder, is_package=True)

    @staticmethod
    def create_module(spec):
        return _Module(spec.name)

    @staticmethod
    def exec_module(module):
        pass


def _asks_whether_there():
    """transformers looks what is there before it chooses: it must not choose a stand-in."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code is importlib.util.find_spec.__code__:
            return True
        frame = frame.f_back
    return False


if __name__ == "sitecustomize":
    sys.meta_path.append(Finder)
