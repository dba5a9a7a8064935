#!/usr/bin/env python3
"""Writes ../data/explain.json: what captum computes for the network of ../explain.rs.

The network has convolutions, batch normalization, ReLU, a max-pool, a residual block that activates first and
linear layers.  Its weights and its pixels follow from the formula of make_parity_networks.py.  Everything is
computed in f64.  Captum has no Grad-CAM++: it is computed here from the formula of its paper (Chattopadhyay et
al., 2018).  SmoothGrad's noise is drawn by xoshiro256++ and Box and Muller's transform, as the crate does, once for
all images, and given to captum in the place of its own; so are the random start of PGD, and the shifts of activation
maximization, which is computed here from the formula of ../../crates/models/src/explain/maximize.rs with scipy's blur.

Needs captum 0.9, scipy and what make_parity_networks.py needs.
"""
import json, math, os
import torch, torch.nn as nn, torch.nn.functional as F
from captum.attr import (
    GuidedBackprop, InputXGradient, IntegratedGradients, LayerAttribution, LayerGradCam, NoiseTunnel,
    Occlusion, Saliency,
)
from captum.robust import FGSM, PGD
from scipy.ndimage import gaussian_filter
from make_parity_networks import digits, fill, uniform

SHAPE = (2, 2, 12, 12)
CLASSES = [3, 1]
SAMPLES, NOISE, SEED = 5, 0.15, 7
STEPS = 20


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn2, self.relu2 = nn.BatchNorm2d(6), nn.ReLU()
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(self.relu2(self.bn2(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1, self.relu1 = nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()
        self.block = Block()
        self.conv3, self.relu3 = nn.Conv2d(6, 8, 3, padding=1), nn.ReLU()
        self.fc1, self.relu4, self.fc2 = nn.Linear(72, 16), nn.ReLU(), nn.Linear(16, 4)

    def forward(self, x):
        x = self.block(F.max_pool2d(self.relu1(self.bn1(self.conv1(x))), 2))
        x = F.max_pool2d(self.relu3(self.conv3(x)), 2).flatten(1)
        return self.fc2(self.relu4(self.fc1(x)))


def uniforms(seed):
    """xoshiro256++ seeded by splitmix64: a function that gives the next value in [0, 1)."""
    mask = (1 << 64) - 1
    state = []
    for _ in range(4):
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        state.append(z ^ (z >> 31))

    def rotate(x, k):
        return ((x << k) | (x >> (64 - k))) & mask

    def unit():
        s = state
        word = (rotate((s[0] + s[3]) & mask, 23) + s[0]) & mask
        t = (s[1] << 17) & mask
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)
        return (word >> 11) / (1 << 53)

    return unit


def normals(seed, count):
    """Through Box and Muller's transform."""
    unit = uniforms(seed)
    return [math.sqrt(-2 * math.log(1 - unit())) * math.cos(math.tau * unit()) for _ in range(count)]


def smooth_grad(net, images, classes):
    noise = torch.tensor(normals(SEED, SAMPLES * images[0].numel())).double()
    noise = noise.reshape(SAMPLES, *images.shape[1:])
    maps = []
    for image, label in zip(images.split(1), classes):
        # The noise is given as a share of the image's range, captum takes its standard deviation.
        std = NOISE * (image.max() - image.min()).item()
        drawn = torch.normal
        torch.normal = lambda mean, std: noise * std
        try:
            tunnel = NoiseTunnel(Saliency(net))
            maps.append(tunnel.attribute(
                image, nt_type="smoothgrad", nt_samples=SAMPLES, stdevs=std, target=label.item(), abs=False
            ))
        finally:
            torch.normal = drawn
    return torch.cat(maps)


def grad_cam_plus_plus(net, layer, images, classes):
    kept = {}
    hook = layer.register_forward_hook(lambda module, x, y: kept.update(maps=y))
    logits = net(images)
    hook.remove()
    maps = kept["maps"]
    g = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), maps)[0]
    below = 2 * g**2 + maps.sum((2, 3), keepdim=True) * g**3
    alpha = torch.where(below != 0, g**2 / torch.where(below != 0, below, torch.ones_like(below)), 0)
    weights = (alpha * g.relu()).sum((2, 3), keepdim=True)
    return (weights * maps).sum(1, keepdim=True).relu().detach()


def attacks(net, images, classes):
    """Both channels have a range of their own, whose ends and shares are given to captum as tensors."""
    low, high = torch.tensor([[0.0, -0.5], [1.0, 1.5]]).double().reshape(2, 1, 2, 1, 1)
    epsilon, step = 0.03 * (high - low), 0.008 * (high - low)
    wanted = (classes + 1) % 4
    unit = uniforms(SEED)
    way = torch.tensor([2 * unit() - 1 for _ in range(images[0].numel())]).double()
    way = way.reshape(1, *images.shape[1:])
    drawn, torch.rand_like = torch.rand_like, lambda x: (way.expand_as(x) + 1) / 2
    try:
        loss = nn.CrossEntropyLoss(reduction="none")
        fgsm, pgd = FGSM(net, loss, low, high), PGD(net, loss, low, high)
        return {
            "fgsm": fgsm.perturb(images, epsilon, classes),
            "fgsm targeted": fgsm.perturb(images, epsilon, wanted, targeted=True),
            "pgd": pgd.perturb(images, epsilon, step, 7, classes),
            "pgd targeted": pgd.perturb(images, epsilon, step, 7, wanted, targeted=True, random_start=True),
        }
    finally:
        torch.rand_like = drawn


def maximized(net, images, target, steps=9, rate=0.05, jitter=2, decay=0.02, sigma=0.6, blur_every=3):
    """`target` takes images to a number each."""
    unit = uniforms(SEED)
    x = images.clone()
    for step in range(1, steps + 1):
        down, right = [int(unit() * (2 * jitter + 1)) - jitter for _ in range(2)]
        x = x.roll((down, right), (2, 3)).requires_grad_()
        g = torch.autograd.grad(target(x).sum(), x)[0]
        x = x.detach() + rate * g / g.square().mean((1, 2, 3), keepdim=True).sqrt()
        x = x.roll((-down, -right), (2, 3)) * (1 - decay)
        if step % blur_every == 0:
            x = torch.from_numpy(gaussian_filter(x.numpy(), (0, 0, sigma, sigma), mode="reflect"))
        x = x.clamp(-1, 1.25)
    return x


def output(net, layer, x):
    kept = {}
    hook = dict(net.named_modules())[layer].register_forward_hook(lambda module, x, y: kept.update(y=y))
    net(x)
    hook.remove()
    return kept["y"]


def rounded(x):
    return {"shape": list(x.shape), "values": [digits(v) for v in x.detach().reshape(-1).tolist()]}


if __name__ == "__main__":
    net = Net().double().eval()
    with torch.no_grad():
        fill(net)
    images = uniform(math.prod(SHAPE), 0).reshape(SHAPE)
    classes = torch.tensor(CLASSES)
    ig = IntegratedGradients(net)
    baseline = torch.full_like(images, 0.25)
    cam = {n: LayerGradCam(net, dict(net.named_modules())[n]) for n in ("conv3", "relu3", "block.conv2")}
    maps = {
        "saliency": Saliency(net).attribute(images, classes, abs=False),
        "input_x_gradient": InputXGradient(net).attribute(images.clone().requires_grad_(), classes),
        "smooth_grad": smooth_grad(net, images, classes),
        "guided_backprop": GuidedBackprop(net).attribute(images.clone().requires_grad_(), classes),
        "occlusion": Occlusion(net).attribute(
            images, (2, 5, 4), strides=(2, 2, 3), target=classes, baselines=0.25
        )[:, :1],
        "grad_cam_plus_plus": grad_cam_plus_plus(net, net.relu3, images, classes),
        "upsampled": LayerAttribution.interpolate(
            cam["relu3"].attribute(images, classes, relu_attributions=True), (12, 12), "bilinear"
        ),
    }
    maps |= attacks(net, images, classes)
    maps["maximized class"] = maximized(net, images, lambda x: net(x)[:, 2])
    maps["maximized conv3"] = maximized(net, images, lambda x: output(net, "conv3", x)[:, 5].mean((1, 2)))
    maps["maximized block.conv2"] = maximized(
        net, images, lambda x: output(net, "block.conv2", x)[:, 1].mean((1, 2))
    )
    maps["maximized fc1"] = maximized(net, images, lambda x: output(net, "fc1", x)[:, 4])
    for rule in ["gausslegendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"]:
        maps[rule] = ig.attribute(images, baseline, classes, n_steps=STEPS, method=rule)
    for name, method in cam.items():
        maps["grad_cam " + name] = method.attribute(images, classes, relu_attributions=True)
    result = {
        "state_dict": [[n, list(v.shape)] for n, v in net.state_dict().items() if v.is_floating_point()],
        "logits": rounded(net(images)),
        "maps": {name: rounded(x) for name, x in maps.items()},
    }
    for name, x in maps.items():
        print(name, list(x.shape), x.abs().max().item())
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/explain.json")
    with open(path, "w") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")
