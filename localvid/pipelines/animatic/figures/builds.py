"""The proportions and colours of each animal on four legs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Build:
    """The proportions of an animal, in heights of its shoulder."""

    coat: str
    pale: str
    """Belly, muzzle, tail tip."""
    length: float = 1.15
    """From chest to rump."""
    deep: float = 0.42
    """Of the chest."""
    waist: float = 0.8
    """Depth of the belly behind, over that of the chest."""
    leg: float = 0.12
    """Thickness of the thigh's lower end."""
    neck: float = 0.35
    neck_angle: float = 0.8
    """Radians above the horizontal."""
    neck_thick: float = 0.26
    head: float = 0.34
    muzzle: float = 0.5
    """The share of the head that is snout."""
    nod: float = 0.15
    """Radians by which the head points below the horizontal."""
    ears: str = "pricked"
    """"pricked", "flopped", "round", "long" or "wide"."""
    tail: str = "curved"
    """"curved", "brush", "long", "short", "tuft" or "hair"."""
    hoof: bool = False
    mane: str = ""
    antlers: str = ""
    """"", "antlers", "horns"."""
    hump: float = 0.0
    wool: bool = False
    trunk: bool = False


BUILDS: dict[str, Build] = {
    "dog": Build(
        "#9c6b43",
        "#d9b58c",
        length=1.1,
        deep=0.4,
        neck=0.3,
        neck_angle=0.85,
        head=0.4,
        muzzle=0.52,
        ears="flopped",
        tail="curved",
    ),
    "wolf": Build(
        "#6f757d",
        "#b9bcc0",
        length=1.25,
        deep=0.44,
        neck=0.32,
        neck_angle=0.55,
        neck_thick=0.34,
        head=0.42,
        muzzle=0.56,
        tail="brush",
    ),
    "fox": Build(
        "#d2692c",
        "#f4e4d0",
        length=1.45,
        deep=0.44,
        leg=0.1,
        neck=0.3,
        neck_angle=0.6,
        neck_thick=0.28,
        head=0.46,
        muzzle=0.56,
        tail="brush",
    ),
    "cat": Build(
        "#3d3a40",
        "#76707a",
        length=1.45,
        deep=0.46,
        waist=0.95,
        leg=0.12,
        neck=0.24,
        neck_angle=0.75,
        neck_thick=0.3,
        head=0.4,
        muzzle=0.25,
        nod=0.1,
        tail="long",
    ),
    "horse": Build(
        "#6b4128",
        "#8a5a3c",
        length=1.08,
        deep=0.4,
        waist=0.92,
        leg=0.085,
        neck=0.56,
        neck_angle=0.95,
        neck_thick=0.27,
        head=0.42,
        muzzle=0.6,
        nod=0.75,
        hoof=True,
        mane="#2e1e18",
        tail="hair",
    ),
    "unicorn": Build(
        "#efeaf2",
        "#ffffff",
        length=1.08,
        deep=0.4,
        waist=0.92,
        leg=0.085,
        neck=0.56,
        neck_angle=0.95,
        neck_thick=0.27,
        head=0.42,
        muzzle=0.6,
        nod=0.7,
        hoof=True,
        mane="#d59ad8",
        tail="hair",
        antlers="horn",
    ),
    "deer": Build(
        "#9a6a42",
        "#d8bb95",
        length=0.98,
        deep=0.35,
        waist=0.9,
        leg=0.065,
        neck=0.5,
        neck_angle=1.05,
        neck_thick=0.2,
        head=0.32,
        muzzle=0.55,
        nod=0.3,
        ears="wide",
        hoof=True,
        tail="short",
        antlers="antlers",
    ),
    "cow": Build(
        "#e9e4dc",
        "#c7a892",
        length=1.25,
        deep=0.5,
        waist=1.05,
        leg=0.1,
        neck=0.28,
        neck_angle=0.35,
        neck_thick=0.34,
        head=0.4,
        muzzle=0.55,
        nod=0.55,
        ears="wide",
        hoof=True,
        tail="tuft",
        antlers="horns",
    ),
    "sheep": Build(
        "#efe9dc",
        "#4a403c",
        length=1.1,
        deep=0.55,
        waist=1.1,
        leg=0.08,
        neck=0.2,
        neck_angle=0.5,
        neck_thick=0.3,
        head=0.34,
        muzzle=0.5,
        nod=0.5,
        ears="wide",
        hoof=True,
        tail="short",
        wool=True,
    ),
    "bear": Build(
        "#5b4030",
        "#7d5c46",
        length=1.35,
        deep=0.6,
        waist=1.05,
        leg=0.2,
        neck=0.26,
        neck_angle=0.3,
        neck_thick=0.46,
        head=0.46,
        muzzle=0.42,
        nod=0.2,
        ears="round",
        tail="short",
    ),
    "lion": Build(
        "#c99a55",
        "#e8cf9e",
        length=1.35,
        deep=0.46,
        waist=0.88,
        leg=0.14,
        neck=0.26,
        neck_angle=0.65,
        neck_thick=0.36,
        head=0.4,
        muzzle=0.4,
        ears="round",
        tail="tuft",
        mane="#7a4a26",
    ),
    "tiger": Build(
        "#d9812f",
        "#f3e3cc",
        length=1.45,
        deep=0.46,
        waist=0.9,
        leg=0.14,
        neck=0.24,
        neck_angle=0.45,
        neck_thick=0.36,
        head=0.42,
        muzzle=0.36,
        ears="round",
        tail="long",
    ),
    "elephant": Build(
        "#7c7f88",
        "#9a9ca4",
        length=1.18,
        deep=0.62,
        waist=1.0,
        leg=0.22,
        neck=0.2,
        neck_angle=0.35,
        neck_thick=0.5,
        head=0.5,
        muzzle=0.3,
        nod=0.3,
        ears="fan",
        tail="tuft",
        trunk=True,
    ),
    "camel": Build(
        "#b98d58",
        "#d2ad7c",
        length=1.02,
        deep=0.36,
        waist=0.9,
        leg=0.085,
        neck=0.55,
        neck_angle=0.85,
        neck_thick=0.17,
        head=0.32,
        muzzle=0.6,
        nod=0.2,
        ears="round",
        tail="tuft",
        hump=0.26,
    ),
    "giraffe": Build(
        "#d8a850",
        "#f0d9a0",
        length=0.8,
        deep=0.32,
        waist=0.85,
        leg=0.07,
        neck=1.05,
        neck_angle=1.2,
        neck_thick=0.2,
        head=0.28,
        muzzle=0.6,
        nod=0.45,
        ears="wide",
        hoof=True,
        tail="tuft",
        antlers="stubs",
    ),
    "pig": Build(
        "#e3a79c",
        "#f0c5bc",
        length=1.5,
        deep=0.66,
        waist=1.1,
        leg=0.15,
        neck=0.16,
        neck_angle=0.2,
        neck_thick=0.48,
        head=0.46,
        muzzle=0.45,
        ears="pricked",
        tail="curved",
        hoof=True,
    ),
}
