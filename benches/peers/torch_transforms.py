#!/usr/bin/env python3
"""One program of the comparison in benches/peers: applies each of torchvision's transforms v2 to a batch of
uint8 images for a while, on one thread, and prints images a second as a line of JSON. A batch is given at once,
which is torchvision's fastest use; random ones draw the same for all images of a batch, then."""

import argparse
import json
import time

import torch
from torchvision.transforms import v2

BILINEAR, BICUBIC = v2.InterpolationMode.BILINEAR, v2.InterpolationMode.BICUBIC


def cases(channels, side):
    """The same names and settings as in transforms.rs."""
    color = channels == 3
    jitter = (0.4, 0.4, 0.4, 0.1) if color else (0.4, 0.4)
    found = {
        "horizontal flip": v2.RandomHorizontalFlip(1.0),
        "crop, reflected padding 4": v2.RandomCrop(side, padding=4, padding_mode="reflect"),
        "rotation, nearest": v2.RandomRotation(15),
        "rotation, bilinear": v2.RandomRotation(15, BILINEAR),
        "affine, bilinear": v2.RandomAffine(10, (0.1, 0.1), (0.9, 1.1), 5, BILINEAR),
        "resized crop": v2.RandomResizedCrop(side),
        "resize to half, bilinear": v2.Resize((side // 2, side // 2)),
        "resize to half, bicubic": v2.Resize((side // 2, side // 2), BICUBIC),
        "color jitter": v2.ColorJitter(*jitter),
        "blur, 5 x 5": v2.GaussianBlur(5),
        "gaussian noise": v2.GaussianNoise(),
        "random erasing": v2.RandomErasing(1.0),
        "equalize": v2.RandomEqualize(1.0),
        "autocontrast": v2.RandomAutocontrast(1.0),
        "sharpness": v2.RandomAdjustSharpness(1.5, 1.0),
        "RandAugment": v2.RandAugment(),
        "TrivialAugmentWide": v2.TrivialAugmentWide(),
    }
    if color:
        found["saturation"] = lambda images: v2.functional.adjust_saturation(images, 1.3)
        found["hue"] = lambda images: v2.functional.adjust_hue(images, 0.1)
        found["grayscale"] = v2.Grayscale()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--side", type=int, default=28)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    images = torch.randint(0, 256, (args.batch, args.channels, args.side, args.side), dtype=torch.uint8)
    rates = {}
    for name, transform in cases(args.channels, args.side).items():
        transform(images)
        start, batches = time.perf_counter(), 0
        while batches == 0 or time.perf_counter() - start < args.seconds:
            transform(images)
            batches += 1
        rates[name] = round(batches * args.batch / (time.perf_counter() - start), 1)
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
