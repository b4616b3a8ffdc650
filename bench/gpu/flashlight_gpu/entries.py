# SPDX-License-Identifier: Apache-2.0
"""The C entries of emitted files: what they are called and take, and calling them with any library's tensors."""

import contextlib
import ctypes
import os
import re

CPU, CUDA = 1, 2  # DLPack's device types
# DLPack's code and bits
DTYPES = {
    "float16": (2, 16), "float32": (2, 32), "float64": (2, 64), "bfloat16": (4, 16), "int8": (0, 8), "int32": (0, 32),
    "int64": (0, 64), "uint8": (1, 8), "bool": (6, 8),
}


class DLDevice(ctypes.Structure):
    _fields_ = [("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32)]


class DLDataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p), ("device", DLDevice), ("ndim", ctypes.c_int32), ("dtype", DLDataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


NO_SIZE = ctypes.c_size_t(-1).value  # what a workspace_size returns after an error
OBSERVER = ctypes.CFUNCTYPE(None, ctypes.c_char_p)


def describe(pointer, shape, strides, dtype, device):
    """The DLTensor of memory that somebody else owns. strides: in elements, None for contiguous."""
    code, bits = DTYPES[dtype]
    sizes = (ctypes.c_int64 * max(1, len(shape)))(*shape)
    steps = None if strides is None else (ctypes.c_int64 * max(1, len(shape)))(*strides)
    return DLTensor(pointer, DLDevice(device, 0), len(shape), DLDataType(code, bits, 1), sizes, steps, 0)


ENTRY = re.compile(r'extern "C" int (flashlight_\w+)\(.*?c_entry\("([^"]*)", out, (\d+), in, \{([^}]*)\}.*?\brun_(\w+)\(launch', re.S)


def entries_in(text):
    """The entries of an emitted file: symbol, function, names of the tensors and scalars in order, number of results."""
    found = []
    for symbol, function, results, names, launcher in ENTRY.findall(text):
        declared = re.search(r"^Optional<TensorList> %s\(([^)]*)\);" % re.escape(launcher), text, re.M)
        parameters = [p.strip() for p in declared[1].split(",")] if declared and declared[1].strip() else []
        scalars = [p.split()[-1] for p in parameters if "Tensor" not in p]
        found.append({"symbol": symbol, "function": function, "tensors": re.findall(r'"([^"]*)"', names), "scalars": scalars, "results": int(results)})
    return found


def kernels_in(text):
    """The names of an emitted file's kernels."""
    return re.findall(r"^FL_(?:HOPPER_)?KERNEL\([^\n]*?\) (\w+)\(FL_PARAMS", text, re.M)


@contextlib.contextmanager
def environment(**variables):
    """Sets variables of the environment, which emitted files read at every launch, for a while; None unsets one."""
    before = {name: os.environ.get(name) for name in variables}

    def put(values):
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    put(variables)
    try:
        yield
    finally:
        put(before)


class EntryError(RuntimeError):
    """The text of flashlight_last_error()."""

    def refuses(self):
        """Whether the file was not translated for this call, which it says honestly: no failure of a kernel."""
        return any(words in str(self) for words in ("no kernel for these ", "this file has kernels for "))


class Entry:
    """One function of a loaded library. Arguments are DLTensors, by parameter name."""

    def __init__(self, library, entry):
        self.entry = entry
        self._call = getattr(library, entry["symbol"])
        self._workspace_size = getattr(library, entry["symbol"] + "_workspace_size")
        self._last_error = library.flashlight_last_error
        self._observe = library.flashlight_observe_launches
        self._call.restype = ctypes.c_int
        self._workspace_size.restype = ctypes.c_size_t
        self._last_error.restype = ctypes.c_char_p
        self._observe.argtypes = [OBSERVER]
        self._observe.restype = None

    @contextlib.contextmanager
    def observed(self):
        """The list to which the names of kernels are added that start meanwhile."""
        kernels = []
        observer = OBSERVER(lambda name: kernels.append(name.decode()))
        self._observe(observer)
        try:
            yield kernels
        finally:
            self._observe(OBSERVER())  # null

    def prepare(self, tensors, scalars, results):
        """The C arguments, made once: what is timed is then the call alone. Returns a function of the stream."""
        missing = [n for n in self.entry["tensors"] if n not in tensors] + [n for n in self.entry["scalars"] if n not in scalars]
        if missing or len(results) != self.entry["results"]:
            raise ValueError(f"{self.entry['symbol']}: missing {missing}, or {len(results)} results for {self.entry['results']}")
        inputs = [tensors[n] for n in self.entry["tensors"]]
        ins = (ctypes.POINTER(DLTensor) * max(1, len(inputs)))(*map(ctypes.pointer, inputs))
        outs = (ctypes.POINTER(DLTensor) * len(results))(*map(ctypes.pointer, results))
        numbers = (ctypes.c_double * max(1, len(self.entry["scalars"])))(*[float(scalars[n]) for n in self.entry["scalars"]])
        size = self._workspace_size(ins, numbers)
        if size == NO_SIZE:
            raise EntryError(self._last_error().decode(errors="replace"))
        keep = (inputs, results)

        def call(stream=None, workspace=None):
            if self._call(ins, outs, numbers, ctypes.c_void_p(workspace), ctypes.c_size_t(size), ctypes.c_void_p(stream)) != 0:
                raise EntryError(self._last_error().decode(errors="replace"))
            return keep

        call.workspace_bytes = size
        return call
