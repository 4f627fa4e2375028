# ruff: noqa: N816  (some keywords of the Standard begin with a small letter)
"""The keywords of PS3.6 Table A-1 for type checkers and editors; at run time `uids` makes them of the table.

Written by scripts/make_uids.py, not by hand.
"""

from typing import Literal, TypeAlias

EncapsulatedUncompressedExplicitVRLittleEndian: str
JPEGBaseline8Bit: str
JPEGExtended12Bit: str
JPEGExtended35: str
JPEGSpectralSelectionNonHierarchical68: str
JPEGSpectralSelectionNonHierarchical79: str
JPEGFullProgressionNonHierarchical1012: str
JPEGFullProgressionNonHierarchical1113: str
JPEGLossless: str
JPEGLosslessNonHierarchical15: str
JPEGExtendedHierarchical1618: str
JPEGExtendedHierarchical1719: str
JPEGSpectralSelectionHierarchical2022: str
JPEGSpectralSelectionHierarchical2123: str
JPEGFullProgressionHierarchical2426: str
JPEGFullProgressionHierarchical2527: str
JPEGLosslessHierarchical28: str
JPEGLosslessHierarchical29: str
JPEGLosslessSV1: str
JPEGLSLossless: str
JPEGLSNearLossless: str
JPEG2000Lossless: str
JPEG2000: str
JPEG2000MCLossless: str
JPEG2000MC: str
JPIPReferenced: str
JPIPReferencedDeflate: str
MPEG2MPML: str
MPEG2MPMLF: str
MPEG2MPHL: str
MPEG2MPHLF: str
MPEG4HP41: str
MPEG4HP41F: str
MPEG4HP41BD: str
MPEG4HP41BDF: str
MPEG4HP422D: str
MPEG4HP422DF: str
MPEG4HP423D: str
MPEG4HP423DF: str
MPEG4HP42STEREO: str
MPEG4HP42STEREOF: str
HEVCMP51: str
HEVCM10P51: str
JPEGXLLossless: str
JPEGXLJPEGRecompression: str
JPEGXL: str
HTJ2KLossless: str
HTJ2KLosslessRPCL: str
HTJ2K: str
JPIPHTJ2KReferenced: str
JPIPHTJ2KReferencedDeflate: str
RLELossless: str
RFC2557MIMEEncapsulation: str
XMLEncoding: str
SMPTEST211020UncompressedProgressiveActiveVideo: str
SMPTEST211020UncompressedInterlacedActiveVideo: str
SMPTEST211030PCMDigitalAudio: str
DeflatedImageFrameCompression: str
HotIronPalette: str
PETPalette: str
HotMetalBluePalette: str
PET20StepPalette: str
SpringPalette: str
SummerPalette: str
FallPalette: str
WinterPalette: str
BasicStudyContentNotification: str
Papyrus3ImplicitVRLittleEndian: str
StorageCommitmentPushModelInstance: str
StorageCommitmentPullModel: str
StorageCommitmentPullModelInstance: str
ProceduralEventLogging: str
ProceduralEventLoggingInstance: str
SubstanceAdministrationLogging: str
SubstanceAdministrationLoggingInstance: str
DCMUID: str
DCM: str
MA: str
UBERON: str
ITIS_TSN: str
MGI: str
PUBCHEM_CID: str
DC: str
NYUMCCG: str
MAYONRISBSASRG: str
IBSI: str
RO: str
RADELEMENT: str
I11: str
UNS: str
RRID: str
DICOMApplicationContext: str
DetachedPatientManagement: str
DetachedPatientManagementMeta: str
DetachedVisitManagement: str
DetachedStudyManagement: str
StudyComponentManagement: str
ModalityPerformedProcedureStep: str
ModalityPerformedProcedureStepRetrieve: str
ModalityPerformedProcedureStepNotification: str
DetachedResultsManagement: str
DetachedResultsManagementMeta: str
DetachedStudyManagementMeta: str
DetachedInterpretationManagement: str
Storage: str
BasicFilmSession: str
BasicFilmBox: str
BasicGrayscaleImageBox: str
BasicColorImageBox: str
ReferencedImageBox: str
BasicGrayscalePrintManagementMeta: str
ReferencedGrayscalePrintManagementMeta: str
PrintJob: str
BasicAnnotationBox: str
Printer: str
PrinterConfigurationRetrieval: str
PrinterInstance: str
PrinterConfigurationRetrievalInstance: str
BasicColorPrintManagementMeta: str
ReferencedColorPrintManagementMeta: str
VOILUTBox: str
PresentationLUT: str
ImageOverlayBox: str
BasicPrintImageOverlayBox: str
PrintQueueInstance: str
PrintQueueManagement: str
StoredPrintStorage: str
HardcopyGrayscaleImageStorage: str
HardcopyColorImageStorage: str
PullPrintRequest: str
PullStoredPrintManagementMeta: str
MediaCreationManagement: str
DisplaySystem: str
DisplaySystemInstance: str
ComputedRadiographyImageStorage: str
DigitalXRayImageStorageForPresentation: str
DigitalXRayImageStorageForProcessing: str
DigitalMammographyXRayImageStorageForPresentation: str
DigitalMammographyXRayImageStorageForProcessing: str
DigitalIntraOralXRayImageStorageForPresentation: str
DigitalIntraOralXRayImageStorageForProcessing: str
EnhancedCTImageStorage: str
LegacyConvertedEnhancedCTImageStorage: str
UltrasoundMultiFrameImageStorageRetired: str
UltrasoundMultiFrameImageStorage: str
EnhancedMRImageStorage: str
MRSpectroscopyStorage: str
EnhancedMRColorImageStorage: str
LegacyConvertedEnhancedMRImageStorage: str
NuclearMedicineImageStorageRetired: str
UltrasoundImageStorageRetired: str
UltrasoundImageStorage: str
EnhancedUSVolumeStorage: str
PhotoacousticImageStorage: str
SecondaryCaptureImageStorage: str
MultiFrameSingleBitSecondaryCaptureImageStorage: str
MultiFrameGrayscaleByteSecondaryCaptureImageStorage: str
MultiFrameGrayscaleWordSecondaryCaptureImageStorage: str
MultiFrameTrueColorSecondaryCaptureImageStorage: str
StandaloneOverlayStorage: str
StandaloneCurveStorage: str
WaveformStorageTrial: str
TwelveLeadECGWaveformStorage: str
GeneralECGWaveformStorage: str
AmbulatoryECGWaveformStorage: str
General32bitECGWaveformStorage: str
HemodynamicWaveformStorage: str
CardiacElectrophysiologyWaveformStorage: str
BasicVoiceAudioWaveformStorage: str
GeneralAudioWaveformStorage: str
ArterialPulseWaveformStorage: str
RespiratoryWaveformStorage: str
MultichannelRespiratoryWaveformStorage: str
RoutineScalpElectroencephalogramWaveformStorage: str
ElectromyogramWaveformStorage: str
ElectrooculogramWaveformStorage: str
SleepElectroencephalogramWaveformStorage: str
BodyPositionWaveformStorage: str
StandaloneModalityLUTStorage: str
StandaloneVOILUTStorage: str
GrayscaleSoftcopyPresentationStateStorage: str
ColorSoftcopyPresentationStateStorage: str
PseudoColorSoftcopyPresentationStateStorage: str
BlendingSoftcopyPresentationStateStorage: str
XAXRFGrayscaleSoftcopyPresentationStateStorage: str
GrayscalePlanarMPRVolumetricPresentationStateStorage: str
CompositingPlanarMPRVolumetricPresentationStateStorage: str
AdvancedBlendingPresentationStateStorage: str
VolumeRenderingVolumetricPresentationStateStorage: str
SegmentedVolumeRenderingVolumetricPresentationStateStorage: str
MultipleVolumeRenderingVolumetricPresentationStateStorage: str
VariableModalityLUTSoftcopyPresentationStateStorage: str
XRayAngiographicImageStorage: str
EnhancedXAImageStorage: str
XRayRadiofluoroscopicImageStorage: str
EnhancedXRFImageStorage: str
XRayAngiographicBiPlaneImageStorage: str
XRay3DAngiographicImageStorage: str
XRay3DCraniofacialImageStorage: str
BreastTomosynthesisImageStorage: str
BreastProjectionXRayImageStorageForPresentation: str
BreastProjectionXRayImageStorageForProcessing: str
IntravascularOpticalCoherenceTomographyImageStorageForPresentation: str
IntravascularOpticalCoherenceTomographyImageStorageForProcessing: str
NuclearMedicineImageStorage: str
ParametricMapStorage: str
RawDataStorage: str
SpatialRegistrationStorage: str
SpatialFiducialsStorage: str
DeformableSpatialRegistrationStorage: str
SegmentationStorage: str
SurfaceSegmentationStorage: str
TractographyResultsStorage: str
RealWorldValueMappingStorage: str
SurfaceScanMeshStorage: str
SurfaceScanPointCloudStorage: str
VLImageStorageTrial: str
VLMultiFrameImageStorageTrial: str
VLEndoscopicImageStorage: str
VideoEndoscopicImageStorage: str
VLMicroscopicImageStorage: str
VideoMicroscopicImageStorage: str
VLSlideCoordinatesMicroscopicImageStorage: str
VLPhotographicImageStorage: str
VideoPhotographicImageStorage: str
OphthalmicPhotography8BitImageStorage: str
OphthalmicPhotography16BitImageStorage: str
StereometricRelationshipStorage: str
OphthalmicTomographyImageStorage: str
WideFieldOphthalmicPhotographyStereographicProjectionImageStorage: str
WideFieldOphthalmicPhotography3DCoordinatesImageStorage: str
OphthalmicOpticalCoherenceTomographyEnFaceImageStorage: str
OphthalmicOpticalCoherenceTomographyBscanVolumeAnalysisStorage: str
VLWholeSlideMicroscopyImageStorage: str
DermoscopicPhotographyImageStorage: str
ConfocalMicroscopyImageStorage: str
ConfocalMicroscopyTiledPyramidalImageStorage: str
LensometryMeasurementsStorage: str
AutorefractionMeasurementsStorage: str
KeratometryMeasurementsStorage: str
SubjectiveRefractionMeasurementsStorage: str
VisualAcuityMeasurementsStorage: str
SpectaclePrescriptionReportStorage: str
OphthalmicAxialMeasurementsStorage: str
IntraocularLensCalculationsStorage: str
MacularGridThicknessAndVolumeReportStorage: str
OphthalmicVisualFieldStaticPerimetryMeasurementsStorage: str
OphthalmicThicknessMapStorage: str
CornealTopographyMapStorage: str
TextSRStorageTrial: str
AudioSRStorageTrial: str
DetailSRStorageTrial: str
ComprehensiveSRStorageTrial: str
BasicTextSRStorage: str
EnhancedSRStorage: str
ComprehensiveSRStorage: str
Comprehensive3DSRStorage: str
ExtensibleSRStorage: str
ProcedureLogStorage: str
MammographyCADSRStorage: str
KeyObjectSelectionDocumentStorage: str
ChestCADSRStorage: str
XRayRadiationDoseSRStorage: str
RadiopharmaceuticalRadiationDoseSRStorage: str
ColonCADSRStorage: str
ImplantationPlanSRStorage: str
AcquisitionContextSRStorage: str
SimplifiedAdultEchoSRStorage: str
PatientRadiationDoseSRStorage: str
PlannedImagingAgentAdministrationSRStorage: str
PerformedImagingAgentAdministrationSRStorage: str
EnhancedXRayRadiationDoseSRStorage: str
WaveformAnnotationSRStorage: str
ContentAssessmentResultsStorage: str
MicroscopyBulkSimpleAnnotationsStorage: str
EncapsulatedPDFStorage: str
EncapsulatedCDAStorage: str
EncapsulatedSTLStorage: str
EncapsulatedOBJStorage: str
EncapsulatedMTLStorage: str
PositronEmissionTomographyImageStorage: str
LegacyConvertedEnhancedPETImageStorage: str
StandalonePETCurveStorage: str
EnhancedPETImageStorage: str
BasicStructuredDisplayStorage: str
CTDefinedProcedureProtocolStorage: str
CTPerformedProcedureProtocolStorage: str
ProtocolApprovalStorage: str
ProtocolApprovalInformationModelFind: str
ProtocolApprovalInformationModelMove: str
ProtocolApprovalInformationModelGet: str
XADefinedProcedureProtocolStorage: str
XAPerformedProcedureProtocolStorage: str
InventoryStorage: str
InventoryFind: str
InventoryMove: str
InventoryGet: str
InventoryCreation: str
RepositoryQuery: str
StorageManagementInstance: str
RTImageStorage: str
RTDoseStorage: str
RTStructureSetStorage: str
RTBeamsTreatmentRecordStorage: str
RTPlanStorage: str
RTBrachyTreatmentRecordStorage: str
RTTreatmentSummaryRecordStorage: str
RTIonPlanStorage: str
RTIonBeamsTreatmentRecordStorage: str
RTPhysicianIntentStorage: str
RTSegmentAnnotationStorage: str
RTRadiationSetStorage: str
CArmPhotonElectronRadiationStorage: str
TomotherapeuticRadiationStorage: str
RoboticArmRadiationStorage: str
RTRadiationRecordSetStorage: str
RTRadiationSalvageRecordStorage: str
TomotherapeuticRadiationRecordStorage: str
CArmPhotonElectronRadiationRecordStorage: str
RoboticRadiationRecordStorage: str
RTRadiationSetDeliveryInstructionStorage: str
RTTreatmentPreparationStorage: str
EnhancedRTImageStorage: str
EnhancedContinuousRTImageStorage: str
RTPatientPositionAcquisitionInstructionStorage: str
DICOSCTImageStorage: str
DICOSDigitalXRayImageStorageForPresentation: str
DICOSDigitalXRayImageStorageForProcessing: str
DICOSThreatDetectionReportStorage: str
DICOS2DAITStorage: str
DICOS3DAITStorage: str
DICOSQuadrupoleResonanceStorage: str
EddyCurrentImageStorage: str
EddyCurrentMultiFrameImageStorage: str
PatientRootQueryRetrieveInformationModelFind: str
PatientRootQueryRetrieveInformationModelMove: str
PatientRootQueryRetrieveInformationModelGet: str
StudyRootQueryRetrieveInformationModelFind: str
StudyRootQueryRetrieveInformationModelMove: str
StudyRootQueryRetrieveInformationModelGet: str
PatientStudyOnlyQueryRetrieveInformationModelFind: str
PatientStudyOnlyQueryRetrieveInformationModelMove: str
PatientStudyOnlyQueryRetrieveInformationModelGet: str
CompositeInstanceRootRetrieveMove: str
CompositeInstanceRootRetrieveGet: str
CompositeInstanceRetrieveWithoutBulkDataGet: str
DefinedProcedureProtocolInformationModelFind: str
DefinedProcedureProtocolInformationModelMove: str
DefinedProcedureProtocolInformationModelGet: str
ModalityWorklistInformationModelFind: str
GeneralPurposeWorklistManagementMeta: str
GeneralPurposeWorklistInformationModelFind: str
GeneralPurposeScheduledProcedureStep: str
GeneralPurposePerformedProcedureStep: str
InstanceAvailabilityNotification: str
RTBeamsDeliveryInstructionStorageTrial: str
RTConventionalMachineVerificationTrial: str
RTIonMachineVerificationTrial: str
UnifiedWorklistAndProcedureStepTrial: str
UnifiedProcedureStepPushTrial: str
UnifiedProcedureStepWatchTrial: str
UnifiedProcedureStepPullTrial: str
UnifiedProcedureStepEventTrial: str
UPSGlobalSubscriptionInstance: str
UPSFilteredGlobalSubscriptionInstance: str
UnifiedWorklistAndProcedureStep: str
UnifiedProcedureStepPush: str
UnifiedProcedureStepWatch: str
UnifiedProcedureStepPull: str
UnifiedProcedureStepEvent: str
UnifiedProcedureStepQuery: str
RTBeamsDeliveryInstructionStorage: str
RTConventionalMachineVerification: str
RTIonMachineVerification: str
RTBrachyApplicationSetupDeliveryInstructionStorage: str
GeneralRelevantPatientInformationQuery: str
BreastImagingRelevantPatientInformationQuery: str
CardiacRelevantPatientInformationQuery: str
HangingProtocolStorage: str
HangingProtocolInformationModelFind: str
HangingProtocolInformationModelMove: str
HangingProtocolInformationModelGet: str
ColorPaletteStorage: str
ColorPaletteQueryRetrieveInformationModelFind: str
ColorPaletteQueryRetrieveInformationModelMove: str
ColorPaletteQueryRetrieveInformationModelGet: str
ProductCharacteristicsQuery: str
SubstanceApprovalQuery: str
GenericImplantTemplateStorage: str
GenericImplantTemplateInformationModelFind: str
GenericImplantTemplateInformationModelMove: str
GenericImplantTemplateInformationModelGet: str
ImplantAssemblyTemplateStorage: str
ImplantAssemblyTemplateInformationModelFind: str
ImplantAssemblyTemplateInformationModelMove: str
ImplantAssemblyTemplateInformationModelGet: str
ImplantTemplateGroupStorage: str
ImplantTemplateGroupInformationModelFind: str
ImplantTemplateGroupInformationModelMove: str
ImplantTemplateGroupInformationModelGet: str
NativeDICOMModel: str
AbstractMultiDimensionalImageModel: str
DICOMContentMappingResource: str
VideoEndoscopicImageRealTimeCommunication: str
VideoPhotographicImageRealTimeCommunication: str
AudioWaveformRealTimeCommunication: str
RenditionSelectionDocumentRealTimeCommunication: str
dicomDeviceName: str
dicomDescription: str
dicomManufacturer: str
dicomManufacturerModelName: str
dicomSoftwareVersion: str
dicomVendorData: str
dicomAETitle: str
dicomNetworkConnectionReference: str
dicomApplicationCluster: str
dicomAssociationInitiator: str
dicomAssociationAcceptor: str
dicomHostname: str
dicomPort: str
dicomSOPClass: str
dicomTransferRole: str
dicomTransferSyntax: str
dicomPrimaryDeviceType: str
dicomRelatedDeviceReference: str
dicomPreferredCalledAETitle: str
dicomTLSCyphersuite: str
dicomAuthorizedNodeCertificateReference: str
dicomThisNodeCertificateReference: str
dicomInstalled: str
dicomStationName: str
dicomDeviceSerialNumber: str
dicomInstitutionName: str
dicomInstitutionAddress: str
dicomInstitutionDepartmentName: str
dicomIssuerOfPatientID: str
dicomPreferredCallingAETitle: str
dicomSupportedCharacterSet: str
dicomConfigurationRoot: str
dicomDevicesRoot: str
dicomUniqueAETitlesRegistryRoot: str
dicomDevice: str
dicomNetworkAE: str
dicomNetworkConnection: str
dicomUniqueAETitle: str
dicomTransferCapability: str
UTC: str
TalairachBrainAtlas: str
SPM2T1: str
SPM2T2: str
SPM2PD: str
SPM2EPI: str
SPM2FILT1: str
SPM2PET: str
SPM2TRANSM: str
SPM2SPECT: str
SPM2GRAY: str
SPM2WHITE: str
SPM2CSF: str
SPM2BRAINMASK: str
SPM2AVG305T1: str
SPM2AVG152T1: str
SPM2AVG152T2: str
SPM2AVG152PD: str
SPM2SINGLESUBJT1: str
ICBM452T1: str
ICBMSingleSubjectMRI: str
IEC61217FixedCoordinateSystem: str
StandardRoboticArmCoordinateSystem: str
IEC61217TableTopCoordinateSystem: str
SRI24: str
Colin27: str
LPBA40AIR: str
LPBA40FLIRT: str
LPBA40SPM5: str

SOPClassName: TypeAlias = Literal[
    "AU",
    "BDUS",
    "CR",
    "CT",
    "DMS",
    "DOC",
    "DX",
    "ECG",
    "EEG",
    "ES",
    "GM",
    "HD",
    "IO",
    "IVOCT",
    "KO",
    "MG",
    "MR",
    "NM",
    "OCT",
    "OP",
    "OPT",
    "PA",
    "PR",
    "PT",
    "PX",
    "REG",
    "RF",
    "RTDOSE",
    "RTIMAGE",
    "RTPLAN",
    "RTRECORD",
    "RTSTRUCT",
    "SC",
    "SEG",
    "SM",
    "SR",
    "US",
    "XA",
    "XC",
    "Verification",
    "MediaStorageDirectoryStorage",
    "BasicStudyContentNotification",
    "StorageCommitmentPushModel",
    "StorageCommitmentPullModel",
    "ProceduralEventLogging",
    "SubstanceAdministrationLogging",
    "DetachedPatientManagement",
    "DetachedVisitManagement",
    "DetachedStudyManagement",
    "StudyComponentManagement",
    "ModalityPerformedProcedureStep",
    "ModalityPerformedProcedureStepRetrieve",
    "ModalityPerformedProcedureStepNotification",
    "DetachedResultsManagement",
    "DetachedInterpretationManagement",
    "BasicFilmSession",
    "BasicFilmBox",
    "BasicGrayscaleImageBox",
    "BasicColorImageBox",
    "ReferencedImageBox",
    "PrintJob",
    "BasicAnnotationBox",
    "Printer",
    "PrinterConfigurationRetrieval",
    "VOILUTBox",
    "PresentationLUT",
    "ImageOverlayBox",
    "BasicPrintImageOverlayBox",
    "PrintQueueManagement",
    "StoredPrintStorage",
    "HardcopyGrayscaleImageStorage",
    "HardcopyColorImageStorage",
    "PullPrintRequest",
    "MediaCreationManagement",
    "DisplaySystem",
    "ComputedRadiographyImageStorage",
    "DigitalXRayImageStorageForPresentation",
    "DigitalXRayImageStorageForProcessing",
    "DigitalMammographyXRayImageStorageForPresentation",
    "DigitalMammographyXRayImageStorageForProcessing",
    "DigitalIntraOralXRayImageStorageForPresentation",
    "DigitalIntraOralXRayImageStorageForProcessing",
    "CTImageStorage",
    "EnhancedCTImageStorage",
    "LegacyConvertedEnhancedCTImageStorage",
    "UltrasoundMultiFrameImageStorageRetired",
    "UltrasoundMultiFrameImageStorage",
    "MRImageStorage",
    "EnhancedMRImageStorage",
    "MRSpectroscopyStorage",
    "EnhancedMRColorImageStorage",
    "LegacyConvertedEnhancedMRImageStorage",
    "NuclearMedicineImageStorageRetired",
    "UltrasoundImageStorageRetired",
    "UltrasoundImageStorage",
    "EnhancedUSVolumeStorage",
    "PhotoacousticImageStorage",
    "SecondaryCaptureImageStorage",
    "MultiFrameSingleBitSecondaryCaptureImageStorage",
    "MultiFrameGrayscaleByteSecondaryCaptureImageStorage",
    "MultiFrameGrayscaleWordSecondaryCaptureImageStorage",
    "MultiFrameTrueColorSecondaryCaptureImageStorage",
    "StandaloneOverlayStorage",
    "StandaloneCurveStorage",
    "WaveformStorageTrial",
    "TwelveLeadECGWaveformStorage",
    "GeneralECGWaveformStorage",
    "AmbulatoryECGWaveformStorage",
    "General32bitECGWaveformStorage",
    "HemodynamicWaveformStorage",
    "CardiacElectrophysiologyWaveformStorage",
    "BasicVoiceAudioWaveformStorage",
    "GeneralAudioWaveformStorage",
    "ArterialPulseWaveformStorage",
    "RespiratoryWaveformStorage",
    "MultichannelRespiratoryWaveformStorage",
    "RoutineScalpElectroencephalogramWaveformStorage",
    "ElectromyogramWaveformStorage",
    "ElectrooculogramWaveformStorage",
    "SleepElectroencephalogramWaveformStorage",
    "BodyPositionWaveformStorage",
    "StandaloneModalityLUTStorage",
    "StandaloneVOILUTStorage",
    "GrayscaleSoftcopyPresentationStateStorage",
    "ColorSoftcopyPresentationStateStorage",
    "PseudoColorSoftcopyPresentationStateStorage",
    "BlendingSoftcopyPresentationStateStorage",
    "XAXRFGrayscaleSoftcopyPresentationStateStorage",
    "GrayscalePlanarMPRVolumetricPresentationStateStorage",
    "CompositingPlanarMPRVolumetricPresentationStateStorage",
    "AdvancedBlendingPresentationStateStorage",
    "VolumeRenderingVolumetricPresentationStateStorage",
    "SegmentedVolumeRenderingVolumetricPresentationStateStorage",
    "MultipleVolumeRenderingVolumetricPresentationStateStorage",
    "VariableModalityLUTSoftcopyPresentationStateStorage",
    "XRayAngiographicImageStorage",
    "EnhancedXAImageStorage",
    "XRayRadiofluoroscopicImageStorage",
    "EnhancedXRFImageStorage",
    "XRayAngiographicBiPlaneImageStorage",
    "XRay3DAngiographicImageStorage",
    "XRay3DCraniofacialImageStorage",
    "BreastTomosynthesisImageStorage",
    "BreastProjectionXRayImageStorageForPresentation",
    "BreastProjectionXRayImageStorageForProcessing",
    "IntravascularOpticalCoherenceTomographyImageStorageForPresentation",
    "IntravascularOpticalCoherenceTomographyImageStorageForProcessing",
    "NuclearMedicineImageStorage",
    "ParametricMapStorage",
    "RawDataStorage",
    "SpatialRegistrationStorage",
    "SpatialFiducialsStorage",
    "DeformableSpatialRegistrationStorage",
    "SegmentationStorage",
    "SurfaceSegmentationStorage",
    "TractographyResultsStorage",
    "RealWorldValueMappingStorage",
    "SurfaceScanMeshStorage",
    "SurfaceScanPointCloudStorage",
    "VLImageStorageTrial",
    "VLMultiFrameImageStorageTrial",
    "VLEndoscopicImageStorage",
    "VideoEndoscopicImageStorage",
    "VLMicroscopicImageStorage",
    "VideoMicroscopicImageStorage",
    "VLSlideCoordinatesMicroscopicImageStorage",
    "VLPhotographicImageStorage",
    "VideoPhotographicImageStorage",
    "OphthalmicPhotography8BitImageStorage",
    "OphthalmicPhotography16BitImageStorage",
    "StereometricRelationshipStorage",
    "OphthalmicTomographyImageStorage",
    "WideFieldOphthalmicPhotographyStereographicProjectionImageStorage",
    "WideFieldOphthalmicPhotography3DCoordinatesImageStorage",
    "OphthalmicOpticalCoherenceTomographyEnFaceImageStorage",
    "OphthalmicOpticalCoherenceTomographyBscanVolumeAnalysisStorage",
    "VLWholeSlideMicroscopyImageStorage",
    "DermoscopicPhotographyImageStorage",
    "ConfocalMicroscopyImageStorage",
    "ConfocalMicroscopyTiledPyramidalImageStorage",
    "LensometryMeasurementsStorage",
    "AutorefractionMeasurementsStorage",
    "KeratometryMeasurementsStorage",
    "SubjectiveRefractionMeasurementsStorage",
    "VisualAcuityMeasurementsStorage",
    "SpectaclePrescriptionReportStorage",
    "OphthalmicAxialMeasurementsStorage",
    "IntraocularLensCalculationsStorage",
    "MacularGridThicknessAndVolumeReportStorage",
    "OphthalmicVisualFieldStaticPerimetryMeasurementsStorage",
    "OphthalmicThicknessMapStorage",
    "CornealTopographyMapStorage",
    "TextSRStorageTrial",
    "AudioSRStorageTrial",
    "DetailSRStorageTrial",
    "ComprehensiveSRStorageTrial",
    "BasicTextSRStorage",
    "EnhancedSRStorage",
    "ComprehensiveSRStorage",
    "Comprehensive3DSRStorage",
    "ExtensibleSRStorage",
    "ProcedureLogStorage",
    "MammographyCADSRStorage",
    "KeyObjectSelectionDocumentStorage",
    "ChestCADSRStorage",
    "XRayRadiationDoseSRStorage",
    "RadiopharmaceuticalRadiationDoseSRStorage",
    "ColonCADSRStorage",
    "ImplantationPlanSRStorage",
    "AcquisitionContextSRStorage",
    "SimplifiedAdultEchoSRStorage",
    "PatientRadiationDoseSRStorage",
    "PlannedImagingAgentAdministrationSRStorage",
    "PerformedImagingAgentAdministrationSRStorage",
    "EnhancedXRayRadiationDoseSRStorage",
    "WaveformAnnotationSRStorage",
    "ContentAssessmentResultsStorage",
    "MicroscopyBulkSimpleAnnotationsStorage",
    "EncapsulatedPDFStorage",
    "EncapsulatedCDAStorage",
    "EncapsulatedSTLStorage",
    "EncapsulatedOBJStorage",
    "EncapsulatedMTLStorage",
    "PositronEmissionTomographyImageStorage",
    "LegacyConvertedEnhancedPETImageStorage",
    "StandalonePETCurveStorage",
    "EnhancedPETImageStorage",
    "BasicStructuredDisplayStorage",
    "CTDefinedProcedureProtocolStorage",
    "CTPerformedProcedureProtocolStorage",
    "ProtocolApprovalStorage",
    "ProtocolApprovalInformationModelFind",
    "ProtocolApprovalInformationModelMove",
    "ProtocolApprovalInformationModelGet",
    "XADefinedProcedureProtocolStorage",
    "XAPerformedProcedureProtocolStorage",
    "InventoryStorage",
    "InventoryFind",
    "InventoryMove",
    "InventoryGet",
    "InventoryCreation",
    "RepositoryQuery",
    "RTImageStorage",
    "RTDoseStorage",
    "RTStructureSetStorage",
    "RTBeamsTreatmentRecordStorage",
    "RTPlanStorage",
    "RTBrachyTreatmentRecordStorage",
    "RTTreatmentSummaryRecordStorage",
    "RTIonPlanStorage",
    "RTIonBeamsTreatmentRecordStorage",
    "RTPhysicianIntentStorage",
    "RTSegmentAnnotationStorage",
    "RTRadiationSetStorage",
    "CArmPhotonElectronRadiationStorage",
    "TomotherapeuticRadiationStorage",
    "RoboticArmRadiationStorage",
    "RTRadiationRecordSetStorage",
    "RTRadiationSalvageRecordStorage",
    "TomotherapeuticRadiationRecordStorage",
    "CArmPhotonElectronRadiationRecordStorage",
    "RoboticRadiationRecordStorage",
    "RTRadiationSetDeliveryInstructionStorage",
    "RTTreatmentPreparationStorage",
    "EnhancedRTImageStorage",
    "EnhancedContinuousRTImageStorage",
    "RTPatientPositionAcquisitionInstructionStorage",
    "DICOSCTImageStorage",
    "DICOSDigitalXRayImageStorageForPresentation",
    "DICOSDigitalXRayImageStorageForProcessing",
    "DICOSThreatDetectionReportStorage",
    "DICOS2DAITStorage",
    "DICOS3DAITStorage",
    "DICOSQuadrupoleResonanceStorage",
    "EddyCurrentImageStorage",
    "EddyCurrentMultiFrameImageStorage",
    "PatientRootQueryRetrieveInformationModelFind",
    "PatientRootQueryRetrieveInformationModelMove",
    "PatientRootQueryRetrieveInformationModelGet",
    "StudyRootQueryRetrieveInformationModelFind",
    "StudyRootQueryRetrieveInformationModelMove",
    "StudyRootQueryRetrieveInformationModelGet",
    "PatientStudyOnlyQueryRetrieveInformationModelFind",
    "PatientStudyOnlyQueryRetrieveInformationModelMove",
    "PatientStudyOnlyQueryRetrieveInformationModelGet",
    "CompositeInstanceRootRetrieveMove",
    "CompositeInstanceRootRetrieveGet",
    "CompositeInstanceRetrieveWithoutBulkDataGet",
    "DefinedProcedureProtocolInformationModelFind",
    "DefinedProcedureProtocolInformationModelMove",
    "DefinedProcedureProtocolInformationModelGet",
    "ModalityWorklistInformationModelFind",
    "GeneralPurposeWorklistInformationModelFind",
    "GeneralPurposeScheduledProcedureStep",
    "GeneralPurposePerformedProcedureStep",
    "InstanceAvailabilityNotification",
    "RTBeamsDeliveryInstructionStorageTrial",
    "RTConventionalMachineVerificationTrial",
    "RTIonMachineVerificationTrial",
    "UnifiedProcedureStepPushTrial",
    "UnifiedProcedureStepWatchTrial",
    "UnifiedProcedureStepPullTrial",
    "UnifiedProcedureStepEventTrial",
    "UnifiedProcedureStepPush",
    "UnifiedProcedureStepWatch",
    "UnifiedProcedureStepPull",
    "UnifiedProcedureStepEvent",
    "UnifiedProcedureStepQuery",
    "RTBeamsDeliveryInstructionStorage",
    "RTConventionalMachineVerification",
    "RTIonMachineVerification",
    "RTBrachyApplicationSetupDeliveryInstructionStorage",
    "GeneralRelevantPatientInformationQuery",
    "BreastImagingRelevantPatientInformationQuery",
    "CardiacRelevantPatientInformationQuery",
    "HangingProtocolStorage",
    "HangingProtocolInformationModelFind",
    "HangingProtocolInformationModelMove",
    "HangingProtocolInformationModelGet",
    "ColorPaletteStorage",
    "ColorPaletteQueryRetrieveInformationModelFind",
    "ColorPaletteQueryRetrieveInformationModelMove",
    "ColorPaletteQueryRetrieveInformationModelGet",
    "ProductCharacteristicsQuery",
    "SubstanceApprovalQuery",
    "GenericImplantTemplateStorage",
    "GenericImplantTemplateInformationModelFind",
    "GenericImplantTemplateInformationModelMove",
    "GenericImplantTemplateInformationModelGet",
    "ImplantAssemblyTemplateStorage",
    "ImplantAssemblyTemplateInformationModelFind",
    "ImplantAssemblyTemplateInformationModelMove",
    "ImplantAssemblyTemplateInformationModelGet",
    "ImplantTemplateGroupStorage",
    "ImplantTemplateGroupInformationModelFind",
    "ImplantTemplateGroupInformationModelMove",
    "ImplantTemplateGroupInformationModelGet",
    "VideoEndoscopicImageRealTimeCommunication",
    "VideoPhotographicImageRealTimeCommunication",
    "AudioWaveformRealTimeCommunication",
    "RenditionSelectionDocumentRealTimeCommunication",
]
