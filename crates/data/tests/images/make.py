"""Writes the images of this folder, and the numbers that the tests of images expect of them.

Made with Pillow 13.0 and torchvision 0.29: python make.py
"""
import numpy as np
from PIL import Image, ImageOps
from torchvision.transforms import v2

HEIGHT, WIDTH = 12, 20


def quarters(mode="RGB"):
    """Red, green above blue, white: each a quarter of the image."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (255, 255, 255))
    image.paste((250, 10, 20), (0, 0, WIDTH // 2, HEIGHT // 2))
    image.paste((30, 240, 40), (WIDTH // 2, 0, WIDTH, HEIGHT // 2))
    image.paste((50, 60, 230), (0, HEIGHT // 2, WIDTH // 2, HEIGHT))
    return image.convert(mode)


def corners(image):
    """The pixels in the middle of the quarters."""
    width, height = image.size
    at = [(width // 4, height // 4), (3 * width // 4, height // 4)]
    at += [(width // 4, 3 * height // 4), (3 * width // 4, 3 * height // 4)]
    return [image.getpixel(xy) for xy in at]


rgb = quarters()
rgb.save("rgb.png")
rgb.save("rgb.bmp")
rgb.save("lossless.webp", lossless=True)
rgb.save("lossy.webp", quality=95)
rgb.save("rgb.tiff", compression="tiff_lzw")
rgb.save("rgb.jpg", quality=95, subsampling=0)
rgb.save("progressive.jpg", quality=95, subsampling=0, progressive=True)
rgb.convert("L").save("grey.jpg", quality=95)
rgb.convert("L").save("grey.png")
rgb.convert("1").save("bilevel.png")
rgb.quantize(4).save("palette.png")
rgb.convert("CMYK").save("cmyk.jpg", quality=95)
rgb.convert("CMYK").save("cmyk.tiff")
alpha = rgb.copy()
alpha.putalpha(Image.linear_gradient("L").resize((WIDTH, HEIGHT)))
alpha.save("alpha.png")
alpha.convert("LA").save("grey_alpha.png")
rgb.quantize(4).save("palette_alpha.png", transparency=0)

# What a camera that was held upright writes: the image lies on its side, and says so.
exif = Image.Exif()
exif[0x0112] = 6
rgb.transpose(Image.Transpose.ROTATE_90).save("turned.jpg", quality=95, subsampling=0, exif=exif)
rgb.transpose(Image.Transpose.ROTATE_90).save("turned.png", exif=exif)

other = Image.new("RGB", (WIDTH, HEIGHT), (0, 0, 0))
rgb.quantize(4).save("frames.gif", save_all=True, append_images=[other])
rgb.save("frames.webp", save_all=True, append_images=[other], lossless=True)
rgb.save("pages.tiff", save_all=True, append_images=[other])

sixteen = np.asarray(rgb.convert("L")).astype(np.uint16) * 256 + 255
Image.fromarray(sixteen).save("grey16.png")
Image.fromarray(sixteen.astype(np.float32)).save("float.tiff")

for name in ["rgb.png", "rgb.jpg", "lossy.webp", "palette.png", "cmyk.jpg", "cmyk.tiff", "alpha.png",
             "palette_alpha.png", "turned.jpg", "frames.gif", "bilevel.png"]:
    image = ImageOps.exif_transpose(Image.open(name))
    print(name, corners(image.convert("RGB")))
print("luma of rgb.png", corners(Image.open("rgb.png").convert("L")))


def waves(width, height):
    """An image that is the same in the test: sawtooth waves with steps."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    return Image.fromarray(((x * 7 + y * 13 + c * 50 + x * y % 31) % 256).astype(np.uint8))


def numbers(name, image):
    values = np.asarray(image)
    values = values.transpose(2, 0, 1) if values.ndim == 3 else values
    print(name, values.flatten().tolist())


def shorter(side, size):
    return v2.Compose([v2.Resize(side, antialias=True), v2.CenterCrop(size)])


numbers("97 x 61 to 10, 8 x 8", shorter(10, 8)(waves(97, 61)))
numbers("61 x 98 to 9, 6 x 8", shorter(9, (6, 8))(waves(61, 98)))
numbers("5 x 4 to 7, 7 x 7, grey", shorter(7, 7)(waves(5, 4).convert("L")))
numbers("97 x 61 stretched to 6 x 9", v2.Resize((6, 9), antialias=True)(waves(97, 61)))
