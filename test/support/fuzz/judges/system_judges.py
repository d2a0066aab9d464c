"""Decoders of the system, as one process: python3 system_judges.py

The first line it writes lists the judges that work here. Then for every request, a line of JSON and the bytes of a
file, it writes a line of JSON and the pixels that were read: RGBA of all frames, one after the other.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from io import BytesIO

MAX_PIXELS = 16_000_000
TIME_LIMIT_S = 20
FOLDER = tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)

try:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
except ImportError:
    Image = None


def main():
    if sys.platform != "win32":
        # What native libraries print must not get between the answers.
        answers = os.fdopen(os.dup(1), "wb")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    judges = {name: judge for name, (judge, program) in JUDGES.items() if is_present(program)}
    write(answers, {"judges": sorted(judges)})
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        content = sys.stdin.buffer.read(request["length"])
        reading, pixels = safely(judges[request["judge"]], content)
        write(answers, {**reading, "length": len(pixels)}, pixels)
    shutil.rmtree(FOLDER, ignore_errors=True)


def is_present(program):
    return Image is not None if program == "pillow" else shutil.which(program) is not None


def write(answers, reading, pixels=b""):
    answers.write(json.dumps(reading).encode() + b"\n" + pixels)
    answers.flush()


def safely(judge, content):
    try:
        return judge(content)
    except subprocess.TimeoutExpired:
        return {"verdict": "refused", "message": f"no answer within {TIME_LIMIT_S} s"}, b""
    except Exception as error:
        unable = isinstance(error, (MemoryError, Image.DecompressionBombWarning, Image.DecompressionBombError))
        verdict = "unable" if unable else "refused"
        return {"verdict": verdict, "message": re.sub(r"<_io.*>", "", f"{type(error).__name__}: {error}")[:300]}, b""


def pillow(content):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reading, pixels = read_with_pillow(content)
    messages = [str(one.message) for one in caught]
    if messages:
        reading = {**reading, "verdict": "warned", "message": messages[0][:300]}
    return reading, pixels


def read_with_pillow(content):
    with Image.open(BytesIO(content)) as image:
        width, height = image.size
        frames = getattr(image, "n_frames", 1)
        if width * height * frames > MAX_PIXELS:
            return {"verdict": "unable", "message": f"{width} x {height} x {frames}"}, b""
        pixels = []
        for frame in range(frames):
            # A multi-picture JPEG has its previews as frames.
            if frame > 0 and image.format in ("MPO", "JPEG"):
                break
            image.seek(frame)
            pixels.append(eight_bits(image).convert("RGBA").tobytes())
        return {"verdict": "read", "width": width, "height": height, "frames": len(pixels)}, b"".join(pixels)


def eight_bits(image):
    """Pillow would clip deep grey instead of scaling it."""
    return image.point(lambda value: value / 256).convert("L") if image.mode.startswith("I") else image


def run(command, content=None):
    return subprocess.run(command, input=content, capture_output=True, timeout=TIME_LIMIT_S)


def on_disk(content, name):
    path = os.path.join(FOLDER, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def said(process):
    return one_line(process.stderr + process.stdout[:2000])


def one_line(text):
    line = re.sub(r"\s+", " ", text.decode("utf-8", "replace").replace(FOLDER + "/", "")).strip()
    # What avifdec says of itself comes before its reasons.
    return re.sub(r"Decoding with AV1 codec.*?please wait\.\.\.|Diagnostics: \*", "", line)[:400]


# Signs of a header that is odd, or of bytes that no picture uses; stray bytes may also be what damage left over.
HARMLESS = re.compile(r"Invalid SOS parameters|unknown JFIF revision|Unknown Adobe color transform|extraneous bytes", re.I)
DAMAGE = re.compile(r"Corrupt JPEG data: (?!\d+ extraneous)|Premature end|Inconsistent progression|Bogus|Invalid", re.I)


def djpeg(content):
    strict = run(["djpeg", "-strict", "-pnm"], content)
    if strict.returncode == 0:
        return {"verdict": "read", **size_of_pnm(strict.stdout)}, rgba_of(strict.stdout)
    message = one_line(strict.stderr)
    if "Unsupported output conversion" in message:
        return jpegtran(content)
    if message.endswith("precision 12"):
        return {"verdict": "unable", "message": message}, b""
    if HARMLESS.search(message):
        return djpeg_that_goes_on(content, message)
    return {"verdict": "refused", "message": message}, b""


def djpeg_that_goes_on(content, message):
    lenient = run(["djpeg", "-verbose", "-verbose", "-verbose", "-pnm"], content)
    warned = [line for line in lenient.stderr.decode("utf-8", "replace").splitlines() if DAMAGE.search(line)]
    damage = [line for line in warned if not HARMLESS.search(line)]
    if lenient.returncode not in (0, 2) or damage:
        return {"verdict": "refused", "message": (damage or [message])[0]}, b""
    verdict = "doubtful" if "extraneous" in message + " ".join(warned) else "warned"
    return {"verdict": verdict, "message": message, **size_of_pnm(lenient.stdout)}, rgba_of(lenient.stdout)


def jpegtran(content):
    strict = run(["jpegtran", "-strict"], content)
    if strict.returncode == 0:
        return {"verdict": "read"}, b""
    message = one_line(strict.stderr)
    return {"verdict": "warned" if HARMLESS.search(message) else "refused", "message": message}, b""


def size_of_pnm(pnm):
    with Image.open(BytesIO(pnm)) as image:
        return {"width": image.width, "height": image.height, "frames": 1}


def rgba_of(file):
    with Image.open(BytesIO(file) if isinstance(file, bytes) else file) as image:
        return image.convert("RGBA").tobytes()


# Of chunks without which the picture is the same: their names begin with a small letter.
HARMLESS_IN_PNG = re.compile(r"chunk [a-z]|iCCP profile name|additional data after IEND|\b(invalid )?[a-z][A-Z]{2}[a-z]\b|[a-z][A-Za-z]{3} (must|not)")


def pngcheck(content):
    process = run(["pngcheck", on_disk(content, "file.png")])
    reading, pixels = silent(process)
    if reading["verdict"] == "refused" and HARMLESS_IN_PNG.search(said(process)):
        return {**reading, "verdict": "warned"}, pixels
    return reading, pixels


def webpinfo(content):
    return silent(run(["webpinfo", "-quiet", "-diag", on_disk(content, "file.webp")]))


def silent(process):
    if process.returncode == 0:
        return {"verdict": "read"}, b""
    return {"verdict": "refused", "message": said(process)}, b""


def dwebp(content):
    if b"ANMF" in content[:200]:
        return {"verdict": "unable", "message": "an animation"}, b""
    return converted(content, lambda source, target: ["dwebp", "-quiet", source, "-o", target], "webp")


def avifdec(content):
    return converted(content, lambda source, target: ["avifdec", "-j", "1", "-d", "8", "--ignore-icc", source, target], "avif")


def heif_convert(content):
    return converted(content, lambda source, target: ["heif-convert", source, target], "avif")


def converted(content, command_of, ending):
    target = os.path.join(FOLDER, "out.png")
    if os.path.exists(target):
        os.remove(target)
    process = run(command_of(on_disk(content, f"file.{ending}"), target))
    if process.returncode != 0 or not os.path.exists(target):
        return {"verdict": "refused", "message": said(process)}, b""
    try:
        return {"verdict": "read", **size_of_file(target)}, rgba_of(target)
    except Exception:  # A profile that Pillow does not accept in a PNG.
        return {"verdict": "read"}, b""


def size_of_file(path):
    with Image.open(path) as image:
        return {"width": image.width, "height": image.height, "frames": 1}


def tiffinfo(content):
    process = run(["tiffinfo", "-D", on_disk(content, "file.tiff")])
    if "Cannot display data" in said(process):
        return {"verdict": "unable", "message": said(process)}, b""
    # Warnings are about tags; errors, also those of strips, go to stderr without that word.
    errors = [line for line in said_on_stderr(process) if not re.search('Warning|set_field_type of custom tag|Bad value 0 for "ResolutionUnit"', line)]
    if process.returncode == 0 and not errors:
        warned = said_on_stderr(process)
        return ({"verdict": "warned", "message": warned[0][:300]} if warned else {"verdict": "read"}), b""
    return {"verdict": "refused", "message": (errors or [said(process)])[0][:300]}, b""


def said_on_stderr(process):
    return [one_line(line) for line in process.stderr.splitlines() if line.strip()]


def giflib(content):
    process = run(["gif2rgb", "-o", os.path.join(FOLDER, "out.rgb"), on_disk(content, "file.gif")])
    # The program cannot draw it, but the library has read it to the end.
    if re.search("not confined to screen|Background color out of range", said(process)):
        return {"verdict": "warned", "message": said(process)}, b""
    return silent(process)


JUDGES = {
    "pillow": (pillow, "pillow"),
    "djpeg": (djpeg, "djpeg"),
    "pngcheck": (pngcheck, "pngcheck"),
    "webpinfo": (webpinfo, "webpinfo"),
    "dwebp": (dwebp, "dwebp"),
    "avifdec": (avifdec, "avifdec"),
    "heif-convert": (heif_convert, "heif-convert"),
    "tiffinfo": (tiffinfo, "tiffinfo"),
    "giflib": (giflib, "gif2rgb"),
}

main()
