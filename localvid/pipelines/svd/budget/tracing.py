"""What running given code takes on a GPU: peak bytes, operations and traffic, with no GPU at hand.

The code itself is run, on meta tensors, which have shapes and no contents. Every storage that it makes is
counted from its first tensor to the death of its last, so what is counted is what the code keeps, not what a
formula says of it. Tensors on the meta device stand for the device's memory. Those on the CPU stand for the
host's: they are not counted, and what is copied to them is not written, so that they take no memory either.

What a kernel takes inside itself shows in no shape; `scratch` adds what is known of it. What depends on a
library's choice (workspaces of cuDNN and cuBLAS) or on the allocator (fragmentation) is not counted.

A loop over slices asks for the same operations on the same shapes again and again. What the first took is
remembered, and a loop that has come to take and leave the same memory in each round is not walked to its
end: that is what makes a clip of a million operations a matter of a second.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from localvid.pipelines.svd.budget.roofline import Kernel
from localvid.pipelines.svd.budget.scratch import Scratch, convolution_layout, cuda_scratch, nbytes
from localvid.pipelines.svd.networks.pinned import pinned_size
from localvid.pipelines.svd.networks.slicing import Slice, walking

DEVICE = torch.device("meta")
"""Stands for the GPU in code that is traced."""

_BULK = 2**16
"""Bytes from which on the host's tensors are taken for weights and feature maps, which have no contents."""

_BLOCK = 512
"""CUDA's allocator hands out multiples of so many bytes."""

_FEWEST_ROUNDS = 5
"""Of a loop that may be worth shortening: three to see how it goes, one for the rest, and the last."""

_aten = torch.ops.aten
_ATTENTION = _aten.scaled_dot_product_attention.default
_CONVOLUTION = _aten.convolution.default
_COPY = _aten.copy_.default
_TO_COPY = _aten._to_copy.default
_VIEW = _aten._unsafe_view.default
"""A view that its schema does not call one."""
_ALLOCATIONS = (_aten.empty, _aten.empty_strided, _aten.empty_like, _aten.new_empty)
_OVERWRITING = (_aten.copy_, _aten.fill_, _aten.zero_)
"""What writes to its first operand without reading it."""


class Trace(NamedTuple):
    """What a run took."""

    peak_bytes: int
    kernels: Counter[Kernel]
    """How often each ran."""
    copied_bytes: int
    """Copied between device and host, both ways together."""
    host_peak_bytes: int
    """Most that was taken of the host's memory by tensors, as if all were pinned."""

    @property
    def flops(self) -> int:
        return sum(kernel.flops * times for kernel, times in self.kernels.items())

    @property
    def bytes_moved(self) -> int:
        """In the device's memory, every operand read once and every result written once."""
        return sum(kernel.bytes_moved * times for kernel, times in self.kernels.items())


Repeated = Sequence[tuple[Any, str]]
"""Functions by where they are looked up, `(module or class, name)`, whose results depend on their arguments
alone: what one took stands for each later call with arguments of the same shapes."""


def trace(
    open_run: Callable[[], Callable[[], object]],
    *,
    scratch: Scratch = cuda_scratch,
    repeated: Repeated = (),
    memory: Memory | None = None,
) -> Trace:
    """Count what code takes that puts its tensors on `DEVICE`.

    `open_run` gives the code to be counted. Of what it does itself only what it leaves on the device counts;
    what existed before it does not. `memory` spares operations that other runs have met, with the same
    `scratch`. Raises what the code raises; code that looks into a tensor meets an error of torch.
    """
    tracer = _Tracer(scratch, memory or Memory())
    with torch.inference_mode(), walking(tracer.walk), _replaced(repeated, tracer.remembering), tracer:
        run = open_run()
        tracer.start()
        run()
    return tracer.result()


@contextmanager
def _replaced(places: Repeated, by: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """While the context is open, other functions are found in these places."""
    originals = [(owner, name, getattr(owner, name)) for owner, name in places]
    try:
        for owner, name, function in originals:
            setattr(owner, name, by(function))
        yield
    finally:
        for owner, name, function in originals:
            setattr(owner, name, function)


class _Facts(NamedTuple):
    """What kind of operation it is, by its schema."""

    composite: bool
    """Made of other operations, and those are what runs."""
    view: bool
    """Gives tensors over the storage of its operands and computes nothing."""
    changes: bool
    """Gives back an operand that it has written to."""


class _Output(NamedTuple):
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype


class _Argument(NamedTuple):
    """An argument that was changed and given back."""

    place: int


def _output(result: Any, args: tuple[Any, ...]) -> Any:
    """What stands for a result, to be made again for other arguments of the same shapes."""
    for index, argument in enumerate(args):
        if result is argument:
            return _Argument(index)
    if not isinstance(result, torch.Tensor):
        return result
    return _Output(tuple(result.shape), result.stride(), result.dtype)


class _Known:
    """What an operation took when it was met first, and how often it came again."""

    __slots__ = ("again", "kernels", "outputs", "peak", "single")

    def __init__(
        self, outputs: tuple[Any, ...], *, single: bool, peak: int, kernels: Counter[Kernel]
    ) -> None:
        self.outputs = outputs
        """The new tensors that it gave, and what else; nothing if it changed an operand."""
        self.single = single
        """Whether it gave one result and not a tuple."""
        self.peak = peak
        """Most bytes that were live while it ran, above what was live before."""
        self.kernels = kernels
        self.again = 0


class Memory:
    """What operations took, from one run to the next: it depends on their operands' shapes alone."""

    def __init__(self) -> None:
        self.known: dict[object, _Known] = {}
        self.free: set[object] = set()
        """Composite operations that came to nothing but views."""


class _Live(weakref.ref[torch.UntypedStorage]):
    """A storage in use, how many bytes it takes, and how many had been made when it was."""

    __slots__ = ("bytes", "identity", "number", "on_host")
    bytes: int
    on_host: bool
    identity: int
    number: int


class _Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]  # of torch's __init_subclass__
    """While entered, runs and counts every operation."""

    def __init__(self, scratch: Scratch, memory: Memory) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._scratch = scratch
        self._live = 0
        self._peak = 0
        self._made = 0
        self._copied = 0
        self._host_live = 0
        self._host_peak = 0
        self._kernels: Counter[Kernel] = Counter()
        self._times = 1
        """How many rounds of the loops that are open the present one stands for."""
        self._depth = 0
        """Of composite operations in one another."""
        self._storages: dict[int, _Live] = {}
        self._known = memory.known
        self._free = memory.free
        self._called: dict[object, _Known] = {}
        """Functions that are remembered; their arguments, networks among them, are not kept beyond a run."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and to ask each time costs a fifth of it all

    def start(self) -> None:
        """Count from here on; what is live stays so."""
        self._peak, self._host_peak, self._copied = self._live, self._host_live, 0
        self._kernels = Counter()
        for known in self._all_known():
            known.again = 0

    def result(self) -> Trace:
        kernels = self._kernels.copy()
        for known in self._all_known():
            _add(kernels, known, known.again)
        return Trace(self._peak, kernels, self._copied, self._host_peak)

    def _all_known(self) -> Iterator[_Known]:
        return chain(self._known.values(), self._called.values())

    def walk(self, slices: Sequence[Slice]) -> Iterator[Slice]:
        """All slices, or some of the first and the last if the third round found and left all as the second.

        One more round then stands for those between.
        """
        if len(slices) <= _FEWEST_ROUNDS:
            yield from slices
            return
        yield slices[0]
        made = self._made
        yield slices[1]
        older, live, made_next = self._count_live(0, made), self._live, self._made
        yield slices[2]
        # Where nothing was made, as when the slices are put into a list, nothing is known of the rounds.
        steady = made < made_next and live == self._live and older == self._count_live(0, made)
        if not steady or self._count_live(made, made_next):
            yield from slices[3:]
            return
        times = self._times
        self._times *= len(slices) - 4
        try:
            yield slices[3]
        finally:
            self._times = times
        yield slices[-1]

    def _count_live(self, after: int, until: int) -> int:
        """Live storages that were made as number `after` + 1 to `until`."""
        return sum(after < entry.number <= until for entry in self._storages.values())

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        facts = _facts(func)
        if facts.view:
            return func(*args, **kwargs)
        key = (func, _signature(args), _signature(kwargs.items()) if kwargs else None)
        known = self._known.get(key)
        if known is not None:
            return self._repeat(known, args, kwargs)
        if key in self._free:
            return func(*args, **kwargs)
        operate = partial(self._operate, func, facts, args, kwargs)
        return self._meet(self._known, key, operate, args, changes=facts.changes)

    def remembering(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose results depend on its arguments alone, as one operation that is remembered."""

        def call(*args: Any, **kwargs: Any) -> Any:
            key = (function, _signature(args), _signature(kwargs.items()))
            known = self._called.get(key)
            if known is not None:
                with torch._C._DisableTorchDispatch():
                    return self._repeat(known, args, kwargs)
            run = partial(function, *args, **kwargs)
            return self._meet(self._called, key, run, args, changes=False)

        return call

    def _repeat(self, known: _Known, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation whose like has run before."""
        if self._depth == 0:
            known.again += self._times
        else:  # counted with the operation that it is part of
            _add(self._kernels, known, self._times)
        self._peak = max(self._peak, self._live + known.peak)
        if not known.outputs:
            return kwargs["out"] if "out" in kwargs else args[0]
        made = tuple(self._again(output, args) for output in known.outputs)
        return made[0] if known.single else made

    def _again(self, output: Any, args: tuple[Any, ...]) -> Any:
        if type(output) is _Argument:
            return args[output.place]
        if type(output) is not _Output:
            return output
        tensor = torch.empty_strided(output.size, output.stride, dtype=output.dtype, device=DEVICE)
        self._track(tensor)
        return tensor

    def _meet(
        self,
        book: dict[object, _Known],
        key: object,
        run: Callable[[], Any],
        args: tuple[Any, ...],
        *,
        changes: bool,
    ) -> Any:
        """An operation whose like has not run before: run it, and remember what it takes."""
        live, made, copied = self._live, self._made, self._copied
        peak, kernels, times = self._peak, self._kernels, self._times
        self._peak, self._kernels, self._times = live, Counter(), 1
        self._depth += 1
        try:
            result = run()
            if self._copied == copied:
                self._remember(book, key, result, args, changes=changes, live=live, made=made)
        finally:
            self._depth -= 1
            for kernel, each in self._kernels.items():
                kernels[kernel] += each * times
            self._copied = copied + (self._copied - copied) * times
            self._peak, self._kernels, self._times = max(peak, self._peak), kernels, times
        return result

    def _operate(self, func: Any, facts: _Facts, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if facts.composite:
            with self:  # as in C++: what Python has in its place, for compilers, takes more memory
                return func._op_dk(torch._C.DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
        if _is_bulk_on_host(args) and func is not _COPY and func is not _TO_COPY:
            return args[0] if facts.changes else _shapes_of(func, args, kwargs)
        result = self._run(func, args, kwargs)
        self._count(facts, func, args, kwargs, result)
        return result

    def _run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func is _ATTENTION:
            return _attention(args[0], args[2])
        if func is _CONVOLUTION:
            # On the meta device the result is always channels first.
            return torch.empty_like(func(*args, **kwargs), memory_format=convolution_layout(*args[:2]))
        if func is _COPY:
            if args[0].device != args[1].device:
                self._copied += nbytes(args[0]) * self._times
            return args[0]
        if func is _TO_COPY:
            device = kwargs.get("device") or args[0].device
            if device.type != args[0].device.type:
                self._copied += nbytes(args[0]) * self._times
                return torch.empty_like(args[0], dtype=kwargs.get("dtype"), device=device)
            if _is_bulk_on_host(args):
                return _shapes_of(func, args, kwargs)
        return func(*args, **kwargs)

    def _count(
        self, facts: _Facts, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        results = list(_tensors(result))
        if not facts.changes:
            for tensor in results:
                self._track(tensor)
        self._peak = max(self._peak, self._live + self._scratch(func, args))
        touched = list(_tensors((args, tuple(kwargs.values()))))
        # What is changed in place is read and written; what is written to alone is among the operands.
        if "out" not in kwargs and func.overloadpacket not in _OVERWRITING:
            touched += results
        moved = sum(nbytes(tensor) for tensor in touched if tensor.device == DEVICE)
        if moved and func.overloadpacket not in _ALLOCATIONS:
            self._kernels[Kernel(_flops(func, args, kwargs, result), moved)] += 1

    def _track(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if id(storage) in self._storages:
            return
        entry = _Live(storage, self._forget)
        self._made += 1
        entry.bytes = -(-storage.nbytes() // _BLOCK) * _BLOCK
        entry.identity, entry.number = id(storage), self._made
        entry.on_host = tensor.device != DEVICE
        if entry.on_host:
            entry.bytes = pinned_size(storage.nbytes())
        self._storages[entry.identity] = entry
        if entry.on_host:
            self._host_live += entry.bytes
            self._host_peak = max(self._host_peak, self._host_live)
            return
        self._live += entry.bytes
        if self._live > self._peak:
            self._peak = self._live

    def _forget(self, entry: _Live) -> None:
        del self._storages[entry.identity]
        if entry.on_host:
            self._host_live -= entry.bytes
        else:
            self._live -= entry.bytes

    def _remember(
        self,
        book: dict[object, _Known],
        key: object,
        result: Any,
        args: tuple[Any, ...],
        *,
        changes: bool,
        live: int,
        made: int,
    ) -> None:
        """Unless it gives both views and new tensors, or tensors on the host: that runs anew every time."""
        results = result if isinstance(result, tuple) else (result,)
        tensors = [tensor for tensor in _tensors(results) if all(tensor is not taken for taken in args)]
        if not changes and self._made == made and not self._kernels:
            if book is self._known:
                self._free.add(key)
            return
        whole = all(self._is_whole(tensor, made) for tensor in tensors) and not isinstance(result, list)
        if not whole and not changes:
            return
        book[key] = _Known(
            () if changes else tuple(_output(result, args) for result in results),
            single=not isinstance(result, tuple),
            peak=self._peak - live,
            kernels=self._kernels,
        )

    def _is_whole(self, tensor: torch.Tensor, made: int) -> bool:
        """Whether it fills a storage that is younger than the first `made`."""
        storage = tensor.untyped_storage()
        entry = self._storages.get(id(storage))
        return (
            entry is not None
            and not entry.on_host
            and entry.number > made
            and tensor.storage_offset() == 0
            and storage.nbytes() == _span(tensor) * tensor.element_size()
        )


def _is_bulk_on_host(args: tuple[Any, ...]) -> bool:
    tensors = list(_tensors(args))
    return bool(tensors) and all(t.device != DEVICE for t in tensors) and max(map(nbytes, tensors)) > _BULK


def _shapes_of(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operation on the host would give, with its contents left out."""
    shapes = tree_map_only(torch.Tensor, lambda tensor: torch.empty_like(tensor, device=DEVICE), args)
    result = func(*shapes, **kwargs)
    return tree_map_only(torch.Tensor, lambda tensor: torch.empty_like(tensor, device="cpu"), result)


def _add(kernels: Counter[Kernel], known: _Known, times: int) -> None:
    if times:
        for kernel, each in known.kernels.items():
            kernels[kernel] += each * times


@cache
def _facts(func: Any) -> _Facts:
    composite = func is not _ATTENTION and torch._C._dispatch_has_kernel_for_dispatch_key(
        func.name(), "CompositeImplicitAutograd"
    )
    aliases = [returned.alias_info for returned in func._schema.returns if returned.alias_info is not None]
    writes = any(alias.is_write for alias in aliases)
    reshapes = torch.Tag.inplace_view in func.tags
    return _Facts(
        composite=composite,
        view=not composite and ((bool(aliases) and not writes) or reshapes or func is _VIEW),
        changes=writes and not reshapes,
    )


def _signature(values: Any) -> Any:
    """What an operation's cost depends on, as a key."""
    parts: list[Any] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            parts += (value.shape, value.stride(), value.dtype, value.device)
        elif isinstance(value, (tuple, list)):
            parts.append(_signature(value))
        elif isinstance(value, float):
            parts += (float, value)  # one and 1.0 are the same key, and give results of different kinds
        else:
            parts.append(value)
    return tuple(parts)


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def _span(tensor: torch.Tensor) -> int:
    """Elements from the first to the last, as they lie in storage."""
    if tensor.numel() == 0:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))


def _attention(query: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The result `(batch, heads, tokens, size)` as flash attention lays it out: by tokens, then heads."""
    batch, heads, tokens, _size = query.shape
    return query.new_empty(batch, tokens, heads, value.shape[-1]).transpose(1, 2)


def _flops(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    if func is _ATTENTION:
        return int(sdpa_flop_count(*(operand.shape for operand in args[:3])))  # type: ignore[no-untyped-call]
    count = flop_registry.get(func.overloadpacket) or flop_registry.get(_new_result(func))
    return int(count(*args, **kwargs, out_val=result)) if count is not None else 0


def _new_result(func: Any) -> Any:
    """The operation that gives what this one writes into its operand: `addmm` of `addmm_`."""
    return getattr(_aten, func.overloadpacket.__name__.rstrip("_"), None)
