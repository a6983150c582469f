"""Arc2Face: its two files, its expression adapter, and what old graphs choose."""

from ..weights.chosen import list_files

UNETS, ENCODERS, ADAPTERS = "diffusion_models", "text_encoders", "ipadapter"
UNET, ENCODER, ADAPTER = "arc2face/unet", "arc2face/encoder", "arc2face/exp_adapter"

#: Redrawing a face: the least denoise that changes who it is, the usual, and the most.
DENOISE = 0.2, 0.6, 1.0

#: Ways to make one vector of several, of a stand-in.
AVERAGES = (
    "average",
    "median",
    "trimmed_mean",
    "ensemble_average",
    "ensemble_median",
    "max_pooling",
    "min_pooling",
    "rounded_mode",
    "rounded_mode_averaging",
    "random_sampling",
)
NEGATIVE = "ugly, deformed, noisy, blurry, low contrast, split image"


def unet_files() -> list[str]:
    return list_files(UNETS, UNET)


def encoder_files() -> list[str]:
    return list_files(ENCODERS, ENCODER)


def adapter_files() -> list[str]:
    return list_files(ADAPTERS, ADAPTER)
