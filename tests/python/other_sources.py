"""Files of weights as other sources name them, for tests/other_sources.rs and the tests of crates/models.

    python3 tests/python/other_sources.py names
    python3 tests/python/other_sources.py write FOLDER [all]

The first writes the names and shapes of state dicts to crates/models/tests/data/names.txt. The second
writes the files with what PyTorch makes of two images. PyTorch, torchvision, timm and transformers are
needed; the networks of github.com/kuangliu/pytorch-cifar, which is no package, stand below under its names.
"""

import pathlib
import platform
import sys

import timm
import torch
import torchvision
import transformers
from torch import nn
from torch.nn import functional as F
from transformers import ResNetConfig, ResNetForImageClassification

NAMES = pathlib.Path(__file__).resolve().parents[2] / "crates/models/tests/data/names.txt"


class Block(nn.Module):
    """A residual block with the names of pytorch-cifar."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class CifarResNet18(nn.Module):
    """ResNet-18 with the names of pytorch-cifar, and its average pool at the end."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        for stage, (i, o) in enumerate([(64, 64), (64, 128), (128, 256), (256, 512)]):
            blocks = [Block(i, o, 1 if stage == 0 else 2), Block(o, o, 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(512, 10)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        for stage in range(4):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.linear(F.avg_pool2d(x, 4).flatten(1))


class CifarVgg11(nn.Module):
    """VGG-11 with the names of pytorch-cifar, whose last pool is over single pixels."""

    def __init__(self):
        super().__init__()
        layers, channels = [], 3
        for width in [64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0]:
            if width == 0:
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.features = nn.Sequential(*layers, nn.AvgPool2d(1, 1))
        self.classifier = nn.Linear(512, 10)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Task(nn.Module):
    """A network within an object, as Lightning keeps it, compiled, beside a loss with weights."""

    def __init__(self, model):
        super().__init__()
        self.model = torch.compile(model)
        self.criterion = nn.CrossEntropyLoss(weight=torch.ones(10))


def hugging_face(layer, depths, sizes):
    config = ResNetConfig(layer_type=layer, depths=depths, hidden_sizes=sizes, num_labels=10)
    return ResNetForImageClassification(config)


def hf18():
    return hugging_face("basic", [2, 2, 2, 2], [64, 128, 256, 512])


def hf50():
    return hugging_face("bottleneck", [3, 4, 6, 3], [256, 512, 1024, 2048])


def filled(model):
    """The model in evaluation, with running statistics that are not those of a new one."""
    generator = torch.Generator().manual_seed(1)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn(buffer.shape, generator=generator) / 10)
        if name.endswith("running_var"):
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return model.eval()


def images(channels, size):
    """Two images, the same numbers as in the test, exact in f32."""
    count = 2 * channels * size * size
    return ((torch.arange(count) * 37 % 256).float() / 256).reshape(2, channels, size, size)


def grey(model):
    """ResNet-18 for one channel, with the weights that timm makes of those for three."""
    from timm.models._manipulate import adapt_input_conv

    state = dict(model.state_dict())
    state["conv1.weight"] = adapt_input_conv(1, state["conv1.weight"])
    one = torchvision.models.resnet18(num_classes=10)
    one.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    one.load_state_dict(state)
    return one.eval()


def backbone(state):
    """The names of a program that puts a head of its own on a backbone."""
    return {k if k.startswith("fc.") else f"backbone.{k}": v for k, v in state.items()}


def write(folder, everything):
    torch.manual_seed(0)
    cifar, hugging = filled(CifarResNet18()), filled(hf18())
    resnet = filled(torchvision.models.resnet18(num_classes=10))
    average = torch.optim.swa_utils.AveragedModel(resnet)
    average.update_parameters(resnet)
    state = resnet.state_dict()
    parallel = {f"module.{k}": v for k, v in cifar.state_dict().items()}
    files = [
        ("pytorch_cifar", cifar, images(3, 32), {"net": parallel, "acc": 91.0, "epoch": 3}),
        ("timm_resnet18", filled(timm.create_model("resnet18", num_classes=10)), images(3, 64), None),
        ("hugging_face_resnet18", hugging, images(3, 64), None),
        ("averaged", resnet, images(3, 64), average.state_dict()),
        ("lightning_compiled", resnet, images(3, 64), {"state_dict": Task(resnet).state_dict()}),
        ("backbone", resnet, images(3, 64), backbone(state)),
        ("grey", grey(resnet), images(1, 64), state),
    ]
    vgg = filled(CifarVgg11())
    wrapped = {f"module.{k}": v for k, v in vgg.state_dict().items()}
    files.append(("pytorch_cifar_vgg11", vgg, images(3, 32), {"net": wrapped, "acc": 92.0}))
    # Of 64 pixels TensorFlow's padding is not the same on both sides; `efficientnet_lite0` of timm's is.
    for name in ["mobilenetv2_100", "tf_efficientnet_lite0", "efficientnet_lite0"]:
        net = filled(timm.create_model(name, num_classes=10))
        files.append((f"timm_{name}", net, images(3, 64), None))
    if everything:
        timm_vgg = filled(timm.create_model("vgg11_bn", num_classes=10))
        files.append(("timm_vgg11_bn", timm_vgg, images(3, 224), None))
        files.append(("hugging_face_resnet50", filled(hf50()), images(3, 64), None))
    for name, model, x, saved in files:
        torch.save(saved or model.state_dict(), folder / f"{name}.pth")
        with torch.no_grad():
            outputs = model(x)
        outputs = getattr(outputs, "logits", outputs)
        lines = [repr(value) for value in outputs.flatten().tolist()]
        (folder / f"{name}.txt").write_text("\n".join(lines))
    print(
        f"Python {platform.python_version()}, PyTorch {torch.__version__}, torchvision "
        f"{torchvision.__version__}, timm {timm.__version__}, transformers {transformers.__version__}"
    )


def names():
    vgg = timm.create_model("vgg11_bn", num_classes=10)
    lines = []
    models = [CifarResNet18(), vgg, hf18(), CifarVgg11()]
    titles = ["pytorch-cifar resnet18", "timm vgg11_bn", "Hugging Face resnet18", "pytorch-cifar vgg11"]
    for name in ["mobilenetv2_100", "tf_efficientnet_lite0", "efficientnet_lite0"]:
        models.append(timm.create_model(name, num_classes=10))
        titles.append(f"timm {name}")
    for title, model in zip(titles, models):
        lines.append(f"# {title}")
        for name, tensor in model.state_dict().items():
            # Counts have no effect; they are in every file of the other tests.
            if not name.endswith("num_batches_tracked"):
                lines.append(" ".join([name, *map(str, tensor.shape)]))
    NAMES.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "names":
        names()
    else:
        write(pathlib.Path(sys.argv[2]), "all" in sys.argv[3:])
