"""One program of the comparison in this folder: trains a network in PyTorch for a while and prints
its speed as a line of JSON. README.md says what the programs have in common."""

import sys

import torch
from torch import nn

import networks


class Residual(nn.Module):
    """The sum of two branches; without layers, a branch is its input."""

    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = chain(body), chain(shortcut)

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def module(kind, *rest):
    if kind == "conv":
        _, into, out, kernel, stride, padding, bias = rest
        return nn.Conv2d(into, out, kernel, stride, padding, bias=bias)
    if kind == "transposed":
        _, into, out, kernel = rest
        return nn.ConvTranspose2d(into, out, kernel)
    if kind == "upsample":
        return nn.Upsample(scale_factor=rest[0])
    make = {"linear": nn.Linear, "norm": nn.BatchNorm2d}.get(kind)
    if make:
        return make(*rest[1:])
    plain = {"relu": nn.ReLU, "gelu": nn.GELU, "pool": nn.MaxPool2d, "flatten": nn.Flatten}
    return {**plain, "scale": Scale, "residual": Residual}[kind](*rest)


def chain(layers):
    return nn.Sequential(*(module(*layer) for layer in layers))


# What can be asked of PyTorch beyond what courses write; each includes the one before it, but for the compiler, which
# chooses how images lie in memory by itself.
SETTINGS = ["eager", "fused", "channels_last", "compile"]
# On a GPU also the compiler with CUDA's graphs, which start all kernels of a pass at once, with and without images that
# lie in memory by `channels_last`.
ON_GPU = ["graphs", "graphs_channels_last"]


def main():
    args = networks.arguments(__doc__, [*SETTINGS, *ON_GPU], ["cpu", "cuda"])
    if args.device == "cpu" and args.setting in ON_GPU:
        sys.exit(f"error: {args.setting} is for a GPU")
    torch.set_num_threads(args.threads)
    if args.setting != "eager" and not torch.set_flush_denormal(True):
        sys.exit("error: this processor cannot flush denormal numbers")
    inference = networks.is_inference(args.network)
    net = chain(networks.NETWORKS[args.network])
    filled = networks.weights(args.network)
    # Both are in the order of the layers.
    for parameter, values in zip(net.parameters(), filled.values(), strict=True):
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(values))
    net = net.to(args.device)
    images = torch.from_numpy(networks.images(args.network, args.batch)).to(args.device)
    if args.device == "cuda" and args.setting != "eager":
        # As its documentation advises: products by units that round their factors to 19 bits, the fastest convolution.
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    if args.setting.endswith("channels_last"):
        net = net.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    options = {"weight_decay": args.weight_decay, "fused": args.setting != "eager"}
    if args.optimizer == "adam":
        optimizer = torch.optim.Adam(net.parameters(), args.learning_rate, **options)
    else:
        optimizer = torch.optim.SGD(net.parameters(), args.learning_rate, args.momentum, **options)
    if args.setting in ["compile", *ON_GPU]:
        # An error where it would fall back to eager, in the whole or for a part.
        torch._dynamo.config.suppress_errors = False
        net = torch.compile(net, fullgraph=True, mode="reduce-overhead" if args.setting in ON_GPU else None)

    # Once, as the images.
    labels = (torch.arange(args.batch) % networks.outputs(args.network)).to(args.device)

    def infer():
        with torch.inference_mode():
            return net(images).mean()

    def train():
        optimizer.zero_grad()
        output = net(images)
        if networks.is_autoencoder(args.network):
            loss = nn.functional.mse_loss(output.flatten(1), images.flatten(1))
        else:
            loss = nn.functional.cross_entropy(output, labels)
        loss.backward()
        optimizer.step()
        # Read back where it is wanted.
        return loss.detach()

    net.train(not inference)
    networks.measure(infer if inference else train, args, torch.__version__)


if __name__ == "__main__":
    main()
