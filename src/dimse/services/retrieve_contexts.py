"""The presentation contexts of a C-GET: its information model, and the storage contexts that instances come on (PS3.4 C.5.3).

The peer sends an instance in the transfer syntax of a context. With one context for all syntaxes it would have to convert what is
stored in another one. So a class has a context for each compressed syntax, or for a few together, and one without compression.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dimse import uids
from dimse.services.information_models import find_model
from dimse.settings import MOST_CONTEXTS, ProposedContext, Role

UNCOMPRESSED = (uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian)

# In the order of preference, by keyword: lossless first, and the most frequent first among them.
LOSSLESS = ("JPEGLosslessSV1", "JPEGLSLossless", "JPEG2000Lossless", "RLELossless", "JPEGLossless", "HTJ2KLossless")
LOSSLESS_TOO = ("HTJ2KLosslessRPCL", "JPEGXLLossless")
LOSSY = (
    "JPEGBaseline8Bit",
    "JPEGExtended12Bit",
    "JPEG2000",
    "JPEGLSNearLossless",
    "HTJ2K",
    "JPEGXLJPEGRecompression",
    "JPEGXL",
)
VIDEO = (
    "MPEG2MPML", "MPEG2MPHL", "MPEG4HP41", "MPEG4HP41BD", "MPEG4HP422D", "MPEG4HP423D", "MPEG4HP42STEREO", "HEVCMP51",
    "HEVCM10P51",
)  # fmt: skip

# Image classes, the most frequent in public collections first, then by modality. Each has three contexts: lossless, lossy and
# uncompressed. The first line alone is nearly everything that a radiology department stores.
IMAGES = (
    "CTImageStorage", "MRImageStorage", "ComputedRadiographyImageStorage", "DigitalXRayImageStorageForPresentation",
    "DigitalMammographyXRayImageStorageForPresentation", "PositronEmissionTomographyImageStorage",
    "UltrasoundImageStorage", "UltrasoundMultiFrameImageStorage", "SecondaryCaptureImageStorage",
    "MultiFrameTrueColorSecondaryCaptureImageStorage", "MultiFrameGrayscaleByteSecondaryCaptureImageStorage",
    "MultiFrameGrayscaleWordSecondaryCaptureImageStorage", "XRayAngiographicImageStorage",
    "XRayRadiofluoroscopicImageStorage", "EnhancedCTImageStorage", "EnhancedMRImageStorage", "NuclearMedicineImageStorage",
    "BreastTomosynthesisImageStorage", "EnhancedXAImageStorage", "VLPhotographicImageStorage",
    "VLEndoscopicImageStorage", "VLWholeSlideMicroscopyImageStorage", "OphthalmicPhotography8BitImageStorage",
    "OphthalmicTomographyImageStorage",
)  # fmt: skip

# Further classes, with one context each: those without pixels first, which need no more, then rarer images.
OTHERS = (
    "SegmentationStorage", "RTStructureSetStorage", "RTDoseStorage", "RTPlanStorage", "RTImageStorage",
    "RTBeamsTreatmentRecordStorage", "RTIonPlanStorage", "RTTreatmentSummaryRecordStorage",
    "BasicTextSRStorage", "EnhancedSRStorage", "ComprehensiveSRStorage", "Comprehensive3DSRStorage",
    "XRayRadiationDoseSRStorage", "KeyObjectSelectionDocumentStorage", "GrayscaleSoftcopyPresentationStateStorage",
    "ColorSoftcopyPresentationStateStorage", "PseudoColorSoftcopyPresentationStateStorage",
    "BlendingSoftcopyPresentationStateStorage", "EncapsulatedPDFStorage", "EncapsulatedCDAStorage",
    "MammographyCADSRStorage", "ChestCADSRStorage", "SpatialRegistrationStorage", "DeformableSpatialRegistrationStorage",
    "SpatialFiducialsStorage", "RealWorldValueMappingStorage", "RawDataStorage", "MRSpectroscopyStorage",
    "ParametricMapStorage", "SurfaceSegmentationStorage", "EncapsulatedSTLStorage",
    "TwelveLeadECGWaveformStorage", "GeneralECGWaveformStorage", "AmbulatoryECGWaveformStorage",
    "HemodynamicWaveformStorage", "DigitalXRayImageStorageForProcessing",
    "DigitalMammographyXRayImageStorageForProcessing", "DigitalIntraOralXRayImageStorageForPresentation",
    "DigitalIntraOralXRayImageStorageForProcessing", "EnhancedPETImageStorage", "LegacyConvertedEnhancedCTImageStorage",
    "LegacyConvertedEnhancedMRImageStorage", "LegacyConvertedEnhancedPETImageStorage", "EnhancedUSVolumeStorage",
    "EnhancedXRFImageStorage", "XRay3DAngiographicImageStorage", "XRay3DCraniofacialImageStorage",
    "EnhancedMRColorImageStorage", "MultiFrameSingleBitSecondaryCaptureImageStorage", "VLMicroscopicImageStorage",
    "OphthalmicPhotography16BitImageStorage", "BasicVoiceAudioWaveformStorage", "ProcedureLogStorage",
)  # fmt: skip

IMAGE_WORDS = ("Image", "Photograph", "Tomograph", "Volume")


def contexts_for_get(
    model: str = "study",
    sop_classes: Iterable[str] = (),
    *,
    transfer_syntaxes: Sequence[str] = (),
) -> tuple[tuple[ProposedContext, ...], tuple[Role, ...]]:
    """Return the presentation contexts and the roles to propose for `association.get`.

    Args:
        model: The information model, by its name, its SOP class UID or keyword.
        sop_classes: The SOP classes of the instances, by UID or keyword. Without any, the 77 most frequent ones are proposed.
        transfer_syntaxes: The transfer syntaxes of each class, in one context; by default all that can hold it, in several.

    Raises:
        ValueError: There is no such model or SOP class, or they need more than 128 contexts.
    """
    model_uid = find_model(model, "get").get
    chosen = [uids.find(one) for one in sop_classes]
    known = uids.by_keyword()
    if chosen:
        storage = _contexts(chosen, transfer_syntaxes)
        if len(storage) >= MOST_CONTEXTS and not transfer_syntaxes:
            storage = [context for uid in chosen for context in _few(uid)]
        if len(storage) >= MOST_CONTEXTS:
            raise ValueError(f"{len(chosen)} SOP classes need more than {MOST_CONTEXTS - 1} presentation contexts")
    elif transfer_syntaxes:
        storage = [ProposedContext(known[one], tuple(transfer_syntaxes)) for one in (*IMAGES, *OTHERS)]
    else:
        storage = [context for one in IMAGES for context in _few(known[one])]
        storage += [ProposedContext(known[one], (*UNCOMPRESSED, *_syntaxes(LOSSLESS))) for one in OTHERS]
    roles = dict.fromkeys(context.abstract_syntax for context in storage)
    return (
        (ProposedContext(model_uid, UNCOMPRESSED), *storage),
        tuple(Role(uid, scu=False, scp=True) for uid in roles),
    )


def _syntaxes(keywords: Iterable[str]) -> tuple[str, ...]:
    known = uids.by_keyword()
    return tuple(known[keyword] for keyword in keywords if keyword in known)


def _contexts(sop_classes: Sequence[str], transfer_syntaxes: Sequence[str]) -> list[ProposedContext]:
    """Return a context for each class and syntax, or for each class with the syntaxes that were asked for."""
    if transfer_syntaxes:
        return [ProposedContext(uid, tuple(transfer_syntaxes)) for uid in sop_classes]
    return [ProposedContext(uid, syntaxes) for uid in sop_classes for syntaxes in _each(uid)]


def _each(sop_class: str) -> list[tuple[str, ...]]:
    """Return the transfer syntaxes of each context of a class."""
    name = uids.name(sop_class)
    if "Video" in name:
        compressed = _syntaxes(VIDEO)
    elif any(word in name for word in IMAGE_WORDS) or name == sop_class:
        compressed = (
            *_syntaxes(LOSSLESS),
            *_syntaxes(LOSSLESS_TOO),
            *_syntaxes(LOSSY),
            uids.DeflatedExplicitVRLittleEndian,
        )
    else:
        return [(*UNCOMPRESSED, uids.DeflatedExplicitVRLittleEndian)]
    return [*((syntax,) for syntax in compressed), UNCOMPRESSED]


def _few(sop_class: str) -> list[ProposedContext]:
    """Return the contexts of a class where there is room for three: lossless, lossy and uncompressed."""
    each = _each(sop_class)
    if len(each) == 1:
        return [ProposedContext(sop_class, each[0])]
    if "Video" in uids.name(sop_class):
        groups = [_syntaxes(VIDEO), UNCOMPRESSED]
    else:
        groups = [_syntaxes((*LOSSLESS, *LOSSLESS_TOO)), _syntaxes(LOSSY), UNCOMPRESSED]
    return [ProposedContext(sop_class, group) for group in groups]
