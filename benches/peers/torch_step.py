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
    return {"relu": nn.ReLU, "pool": nn.MaxPool2d, "flatten": nn.Flatten, "residual": Residual}[kind](*rest)


def chain(layers):
    return nn.Sequential(*(module(*layer) for layer in layers))


# What can be asked of PyTorch beyond what courses write; each includes the one before it, but for the compiler, which
# chooses how images lie in memory by itself.
SETTINGS = ["eager", "fused", "channels_last", "compile"]


def main():
    args = networks.arguments(__doc__, SETTINGS)
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
    images = torch.from_numpy(networks.images(args.network, args.batch))
    if args.setting == "channels_last":
        net = net.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    options = {"weight_decay": args.weight_decay, "fused": args.setting != "eager"}
    if args.optimizer == "adam":
        optimizer = torch.optim.Adam(net.parameters(), args.learning_rate, **options)
    else:
        optimizer = torch.optim.SGD(net.parameters(), args.learning_rate, args.momentum, **options)
    if args.setting == "compile":
        # An error where it would fall back to eager, in the whole or for a part.
        torch._dynamo.config.suppress_errors = False
        net = torch.compile(net, fullgraph=True)

    # Once, as the images.
    labels = torch.arange(args.batch) % networks.outputs(args.network)

    def infer():
        with torch.inference_mode():
            return net(images).mean().item()

    def train():
        optimizer.zero_grad()
        output = net(images)
        if networks.is_autoencoder(args.network):
            loss = nn.functional.mse_loss(output.flatten(1), images.flatten(1))
        else:
            loss = nn.functional.cross_entropy(output, labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    net.train(not inference)
    networks.measure(infer if inference else train, args, torch.__version__)


if __name__ == "__main__":
    main()
