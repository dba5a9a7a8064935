#!/usr/bin/env python3
"""Records what torchvision's transforms v2 make of small uint8 images, for the tests of
crates/data/src/transform: python3 tests/python/make_transforms.py [--check]

Needs torch and torchvision; the record was made with torch 2.15.0 and torchvision 0.29.2. Each case names a
transform as `Transforms::from_json` reads it, and holds the bytes that torchvision's function of the same
settings gives. Two images are used: a colour image with a smooth part and a noisy one, and a grey image."""

import json
import math
import sys
from pathlib import Path

import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

RECORD = Path(__file__).resolve().parents[2] / "crates/data/src/transform/torchvision_tests/recorded.json"
NEAREST, BILINEAR, BICUBIC = (v2.InterpolationMode.NEAREST, v2.InterpolationMode.BILINEAR,
                              v2.InterpolationMode.BICUBIC)


def pixel(channel, y, x, height, width):
    """Smooth on the left, noisy on the right."""
    if x < width // 2:
        return int(127.5 + 120 * math.sin(0.7 * y + 0.4 * x + 1.3 * channel))
    h = (channel * 7919 + y * 104729 + x * 1299709 + 12345) * 2654435761 & 0xFFFFFFFF
    return (h ^ (h >> 15)) >> 8 & 255


def image(channels, height, width):
    return torch.tensor([[[pixel(c, y, x, height, width) for x in range(width)] for y in range(height)]
                         for c in range(channels)], dtype=torch.uint8)


IMAGES = {"color": image(3, 10, 14), "gray": image(1, 9, 9)}


def cases():
    """Pairs of settings and what torchvision's function makes of an image with them."""
    yield {"name": "random_horizontal_flip", "p": 1.0}, F.horizontal_flip
    yield {"name": "random_vertical_flip", "p": 1.0}, F.vertical_flip
    for factor in (0.0, 0.6, 1.0, 1.7):
        for op, function in (("brightness", F.adjust_brightness), ("contrast", F.adjust_contrast),
                             ("saturation", F.adjust_saturation), ("sharpness", F.adjust_sharpness)):
            yield ({"name": "color_op", "op": op, "factor": factor},
                   lambda image, function=function, factor=factor: function(image, factor))
    for turn in (-0.5, -0.1, 0.0, 0.07, 0.3, 0.5):
        yield ({"name": "color_op", "op": "hue", "factor": turn},
               lambda image, turn=turn: F.adjust_hue(image, turn))
    for bits in (0, 1, 4, 8):
        yield ({"name": "color_op", "op": "posterize", "bits": bits},
               lambda image, bits=bits: F.posterize(image, bits))
    for threshold in (0.0, 127.5, 128.0, 255.0):
        yield ({"name": "color_op", "op": "solarize", "threshold": threshold},
               lambda image, threshold=threshold: F.solarize(image, threshold))
    yield {"name": "color_op", "op": "autocontrast"}, F.autocontrast
    yield {"name": "color_op", "op": "equalize"}, F.equalize
    yield {"name": "color_op", "op": "invert"}, F.invert
    yield {"name": "grayscale"}, F.rgb_to_grayscale
    yield {"name": "gray_to_rgb"}, F.grayscale_to_rgb
    for kernel, sigma in ((3, 0.5), (5, 1.3), (7, 2.0)):
        yield ({"name": "gaussian_blur", "kernel_size": kernel, "sigma": [sigma, sigma]},
               lambda image, kernel=kernel, sigma=sigma: F.gaussian_blur(image, [kernel] * 2, [sigma] * 2))
    for size in ([5, 7], [7, 5], [10, 9], [23, 31], [3, 14], [2, 3]):
        for name, mode in (("nearest", NEAREST), ("bilinear", BILINEAR), ("bicubic", BICUBIC)):
            yield ({"name": "resize", "size": size, "interpolation": name},
                   lambda image, size=size, mode=mode: F.resize(image, size, mode, antialias=True))
    yield {"name": "resize", "size": 6}, lambda image: F.resize(image, [6], antialias=True)
    for size in ([4, 5], [5, 6], [10, 14], [11, 12], [15, 20]):
        yield ({"name": "center_crop", "size": size},
               lambda image, size=size: F.center_crop(image, size))
    for angle in (0.0, 17.0, 90.0, 180.0, 200.0, -45.0):
        for name, mode in (("nearest", NEAREST), ("bilinear", BILINEAR)):
            for fill in (0, 99):
                yield ({"name": "random_rotation", "degrees": [angle, angle], "interpolation": name,
                        "fill": fill},
                       lambda image, angle=angle, mode=mode, fill=fill:
                           F.rotate(image, angle, mode, fill=[float(fill)]))
    for angle, translate, scale, shear, center in (
            (20.0, [0, 0], 1.0, [0.0, 0.0], None), (0.0, [2, -3], 1.0, [0.0, 0.0], None),
            (0.0, [0, 0], 0.7, [0.0, 0.0], None), (0.0, [0, 0], 1.0, [15.0, -10.0], None),
            (-33.0, [1, 2], 1.3, [5.0, 8.0], None), (10.0, [0, 0], 1.0, [0.0, 0.0], [1.0, 2.0])):
        for name, mode in (("nearest", NEAREST), ("bilinear", BILINEAR)):
            settings = {"name": "affine", "angle": angle, "translate": translate, "scale": scale,
                        "shear": shear, "interpolation": name, "fill": 30}
            if center is not None:
                settings["center"] = center
            yield (settings,
                   lambda image, a=angle, t=translate, s=scale, h=shear, c=center, m=mode:
                       F.affine(image, a, t, s, h, m, fill=[30.0], center=c))


def record():
    found = []
    for settings, function in cases():
        for name, image in IMAGES.items():
            output = function(image)
            found.append({"image": name, "transform": settings, "shape": list(output.shape),
                          "output": output.flatten().tolist()})
    return found


def augmentations():
    """Magnitudes of the automatic augmentations, and what their operations make of the images at the strongest one
    and at the one a third of the way, both ways where they go both ways."""
    found = {}
    for name, transform in (("rand_augment", v2.RandAugment()),
                            ("trivial_augment_wide", v2.TrivialAugmentWide())):
        ops = []
        for op, (magnitudes, signed) in transform._AUGMENTATION_SPACE.items():
            values = magnitudes(31, 224, 200)
            values = [0.0] * 31 if values is None else [float(value) for value in values]
            ops.append({"op": op, "signed": signed, "magnitudes": values})
        found[name] = ops
    transform, outputs = v2.RandAugment(), []
    for op, (magnitudes, signed) in transform._AUGMENTATION_SPACE.items():
        for image_name, image in IMAGES.items():
            values = magnitudes(31, *image.shape[-2:])
            for bin in (10, 30):
                for sign in (1, -1) if signed else (1,):
                    magnitude = 0.0 if values is None else sign * float(values[bin])
                    output = transform._apply_image_or_video_transform(
                        image, op, magnitude, interpolation=NEAREST, fill=transform._fill)
                    outputs.append({"op": op, "image": image_name, "bin": bin, "sign": sign,
                                    "output": output.flatten().tolist()})
    found["outputs"] = outputs
    return found


def main():
    images = {name: {"shape": list(image.shape), "pixels": image.flatten().tolist()}
              for name, image in IMAGES.items()}
    text = json.dumps({"images": images, "cases": record(), "augment": augmentations()},
                      separators=(",", ":")) + "\n"
    if "--check" in sys.argv[1:]:
        sys.exit(0 if RECORD.read_text() == text else f"{RECORD} would be another one")
    RECORD.write_text(text)


if __name__ == "__main__":
    main()
