"""De-identified files as tools and devices write them, by their published rules and habits: all of them are to come in.

``STANDARD``: values of the standard and of tools, under the shipped policy. ``DEVICES``: deliveries with a device's own
values, several patients each, under the policy that the delivery proposes. Belongs here: making such files. Does not
belong here: what is asked of them (``test_exports``, ``benchmarks/gate.py``).
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable

import imagecodecs
import numpy as np
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence

from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.privacy import making
from radia_pipeline_tests.privacy.making import concept, item

CODES = {
    "113100": "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113105": "Clean Descriptors Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
    "113111": "Retain Safe Private Option",
}
ANNEX_E = "Per DICOM PS 3.15 AnnexE. Details in 0012,0064"


def codes(*values: str) -> Sequence:
    """Return the method's codes (PS3.16 CID 7050)."""
    return Sequence([concept(value, "DCM", CODES[value])[0] for value in values])


def made(number: int = 1, *, meta: dict | None = None, root: str | None = None, **tags: object) -> FileDataset:
    """Return a data set; ``root``: of all UIDs of the file; ``meta``: elements of group 0002 by keyword."""
    ds = files.dataset(files.picture(number, (8, 8)), number=number, **tags)
    if root is not None:
        for last, keyword in enumerate(("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")):
            setattr(ds, keyword, f"{root}{31415926535897932384626433832795028841 + 100 * number + last}"[:64])
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    for keyword, value in (meta or {}).items():
        setattr(ds.file_meta, keyword, value)
    return ds


def export(**options: object) -> bytes:
    """Return one file of ``made``, its meta information as the tool left it."""
    return finished(made(**options))


def finished(ds: FileDataset) -> bytes:
    from io import BytesIO

    from pydicom import dcmwrite

    buffer = BytesIO()
    syntax = ds.file_meta.TransferSyntaxUID
    ds.file_meta.FileMetaInformationVersion = b"\0\1"
    if "ImplementationClassUID" not in ds.file_meta:
        ds.file_meta.ImplementationClassUID = "1.2.826.0.1.3680043.8.498.1"
    dcmwrite(
        buffer,
        ds,
        enforce_file_format=False,
        little_endian=syntax != files.NATIVE[2],
        implicit_vr=syntax == files.NATIVE[1],
    )
    return buffer.getvalue()


def tool(implementation: str, version: str | None = None, title: str | None = None) -> dict[str, str]:
    said = {
        "ImplementationClassUID": implementation,
        "ImplementationVersionName": version,
        "SourceApplicationEntityTitle": title,
    }
    return {keyword: value for keyword, value in said.items() if value}


DCM4CHE2, DCM4CHE = tool("1.2.40.0.13.1.1.1", "dcm4che-1.4.35", "CTP"), tool("1.2.40.0.13.1.3", "dcm4che-5.31.2")
DCMTK = tool("1.2.276.0.7230010.3.0.3.6.7", "OFFIS_DCMTK_367", "ORTHANC")
TCIA_ROOT = "1.3.6.1.4.1.14519.5.2.1."


def orthanc(version: str, profile: str) -> bytes:
    name = str(uuid.UUID(int=77))
    return export(
        meta=DCMTK,
        root="1.2.276.0.7230010.3.1.4.",
        PatientName="Anonymized1",
        PatientID=name,
        PatientAge=None,
        DeidentificationMethod=f"Orthanc {version} - PS 3.15-{profile} Table E.1-1 Basic Profile",
    )


def framed(syntax: str, stream: bytes) -> bytes:
    return making.framed(syntax, [stream])


def padded(syntax: str, padding: bytes) -> bytes:
    """Return a file whose frame, of odd length, is made even by one byte (PS3.5 A.4)."""
    stream = next(one for seed in range(1, 99) if len(one := making.frame(syntax, seed)) % 2)
    return framed(syntax, stream + padding)


def looked_up(keyword: str, **more: object) -> bytes:
    return making.table(keyword, np.arange(4096, dtype="<u2").tobytes(), 12, **more)


def with_group_lengths() -> bytes:
    data = making.CLEAN
    for tag in (0x00080000, 0x00100000, 0x00280000):
        parsed = [e for e in _elements_of(data) if e.tag >> 16 == tag >> 16]
        size = sum(e.head + len(e.value) for e in parsed)
        data = making.put(tag, b"UL", struct.pack("<I", size), data)
    return data


def with_pixels_length() -> bytes:
    """A picture of more than a megabyte, and in front of it the length of its group."""
    data = finished(files.dataset(np.zeros((800, 800), np.uint16) + np.arange(800, dtype=np.uint16), number=3))
    at = data.index(b"\xe0\x7f\x10\x00OW")
    return data[:at] + making.element(0x7FE00000, b"UL", struct.pack("<I", len(data) - at)) + data[at:]


def _elements_of(data: bytes) -> tuple:
    from radia_pipeline.privacy.container import parse

    return parse(data).elements


def deflated_with_checksum() -> bytes:
    import zlib

    data = files.clean_file(1, syntax=files.NATIVE[3])
    start = 132 + 12 + struct.unpack_from("<I", data, 140)[0]
    plain = zlib.decompressobj(-15).decompress(data[start:])
    packed = zlib.compressobj(wbits=-15)
    body = packed.compress(plain) + packed.flush()
    return data[:start] + body + zlib.crc32(plain).to_bytes(4, "little") + b"\0" * (len(body) % 2)


def tiff_in_front() -> bytes:
    data = making.CLEAN
    return b"II*\0" + struct.pack("<I", len(data) - 40) + bytes(120) + data[128:]


def baseline(*segments: tuple[int, bytes]) -> bytes:
    stream = making.frame(making.BASELINE)
    return framed(making.BASELINE, stream[:2] + b"".join(making.segment(*one) for one in segments) + stream[2:])


def commented(syntax: str, text: bytes) -> bytes:
    return making.main_header(syntax, 0x64, b"\0\1" + text)


EXPOSURE = {
    "KVP": "125", "ExposureTime": "8", "XRayTubeCurrent": "250", "Exposure": "2", "ExposureInuAs": "2150",
    "ExposureTimeInuS": "8250", "XRayTubeCurrentInuA": "250000", "DistanceSourceToDetector": "1800",
    "DistanceSourceToPatient": "1700", "ExposureIndex": "412.5", "TargetExposureIndex": "400",
    "DeviationIndex": "0.13", "Sensitivity": "318", "RelativeXRayExposure": "1203", "FocalSpots": "1.2",
    "ImageAndFluoroscopyAreaDoseProduct": "0.0837", "EntranceDoseInmGy": "0.11", "BodyPartThickness": "230",
    "ImagerPixelSpacing": [0.143, 0.143], "Grid": ["FIXED", "FOCUSED"], "GridAspectRatio": ["1", "12"],
    "FilterMaterial": ["ALUMINUM", "COPPER"], "FilterThicknessMinimum": ["1", "0.1"],
    "FieldOfViewDimensions": ["430", "430"], "FieldOfViewOrigin": ["0", "0"], "FieldOfViewRotation": "0",
    "DetectorTemperature": "31.5", "DetectorType": "SCINTILLATOR", "DetectorConfiguration": "AREA",
    "DetectorConditionsNominalFlag": "YES", "DetectorActiveTime": "812", "DetectorBinning": ["1", "1"],
    "CollimatorShape": "RECTANGULAR", "CollimatorLeftVerticalEdge": "12", "CollimatorRightVerticalEdge": "3050",
    "PositionerType": "COLUMN", "PositionerPrimaryAngle": "0", "ExposureControlMode": "AUTOMATIC",
}  # fmt: skip
POSITION = {
    "AnatomicRegionSequence": concept("51185008", "SCT", "Chest"),
    "ViewCodeSequence": concept("399348003", "SCT", "antero-posterior"),
    "PatientOrientation": ["L", "F"],
    "PatientOrientationCodeSequence": concept("10904000", "SCT", "erect"),
    "ImageLaterality": "U",
}
GREY = {
    "WindowCenter": ["2048", "1800"],
    "WindowWidth": ["4096", "3000"],
    "WindowCenterWidthExplanation": ["NORMAL", "USER"],
    "RescaleIntercept": "0",
    "RescaleSlope": "1",
    "RescaleType": "unspecified",
    "PresentationLUTShape": "IDENTITY",
    "PixelIntensityRelationship": "LOG",
    "PixelIntensityRelationshipSign": -1,
    "VOILUTFunction": "SIGMOID",
    "LossyImageCompression": "00",
    "QualityControlImage": "NO",
    "SmallestImagePixelValue": 0,
    "LargestImagePixelValue": 4095,
    "PixelPaddingValue": 0,
}
DUMMIES = {
    "PatientBirthDate": "19000101",
    "ReferringPhysicianName": "ANONYMIZED",
    "InstitutionName": "REMOVED",
    "OperatorsName": "ANONYMIZED^",
    "AccessionNumber": "",
    "StudyID": "",
    "StationName": "REMOVED",
    "StudyTime": "000000",
    "AcquisitionDateTime": "19000101000000.000",
    "ContentTime": "000000.000000",
}

STANDARD: dict[str, Callable[[], bytes]] = {
    "CTP": lambda: export(
        meta=DCM4CHE2, root="1.2.840.113654.2.70.1.",
        DeidentificationMethod="CTP: based on DICOM PS3.15 AnnexE. Details in 0012,0064",
        DeidentificationMethodCodeSequence=codes("113100", "113105", "113107", "113108", "113109")),
    "CTP, default script": lambda: export(
        meta=DCM4CHE2, root="1.2.840.113654.2.70.1.", DeidentificationMethod=f"{{{ANNEX_E}}}",
        DeidentificationMethodCodeSequence=codes("113100")),
    "TCIA": lambda: export(
        meta=DCM4CHE2, root=f"{TCIA_ROOT}7009.2403.", DeidentificationMethod=ANNEX_E,
        LongitudinalTemporalInformationModified="MODIFIED",
        DeidentificationMethodCodeSequence=codes("113100", "113101", "113105", "113107", "113108", "113109", "113111")),
    "Orthanc 1.12": lambda: orthanc("1.12.4", "2023b"),
    "Orthanc 1.11": lambda: orthanc("1.11.0", "2021b"),
    "Orthanc 1.10": lambda: orthanc("1.10.1", "2017c"),
    "RSNA Anonymizer": lambda: export(
        root="1.2.826.0.1.3680043.10.474.104.", PatientName="104829-000017", PatientID="104829-000017",
        DeidentificationMethod="RSNA DICOM ANONYMIZER", DeidentificationMethodCodeSequence=codes("113100", "113107")),
    "deid with new UIDs": lambda: export(DeidentificationMethod="deid", PatientAge=None,
        DeidentificationMethodCodeSequence=codes("113100")),
    "dcm4che": lambda: export(meta=DCM4CHE, root="2.25.", DeidentificationMethod=None,
        DeidentificationMethodCodeSequence=codes("113100", "113107", "113108", "113109")),
    "fo-dicom": lambda: export(meta=tool("1.3.6.1.4.1.30071.8", "fo-dicom 5.1.2", "ANY-SCU"), root="2.25."),
    "pydicom and pynetdicom": lambda: export(
        meta=tool("1.2.826.0.1.3680043.9.3811.2.1.0", "PYNETDICOM_210", "PYNETDICOM")),
    "GDCM": lambda: export(meta=tool("1.2.826.0.1.3680043.2.1143.107.104.103.115.3.0.22", "GDCM 3.0.22")),
    "DCMTK": lambda: export(meta=tool("1.2.276.0.7230010.3.0.3.6.8", "OFFIS_DCMTK_368", "STORESCU")),
    "Horos": lambda: export(meta=tool("1.2.276.0.7230010.3.0.3.5.4", "OSIRIX", "HOROS")),
    "codes alone": lambda: export(DeidentificationMethod=None,
        DeidentificationMethodCodeSequence=codes("113100", "113107", "113108")),
    "positions in codes": lambda: export(**POSITION),
    "positions in older codes": lambda: export(
        AnatomicRegionSequence=concept("T-D3000", "SRT", "Chest"),
        ViewCodeSequence=concept("R-10214", "SRT", "postero-anterior", CodingSchemeVersion="20030215")),
    "positions in the oldest codes": lambda: export(
        AnatomicRegionSequence=concept("T-D3000", "SNM3", "Chest"), ViewCodeSequence=concept("R-10206", "SNM3",
        "antero-posterior")),
    "lateral view with a modifier": lambda: export(ViewPosition="LL", ViewCodeSequence=item(
        CodeValue="R-10236", CodingSchemeDesignator="SRT", CodeMeaning="left lateral",
        ViewModifierCodeSequence=concept("R-10244", "SRT", "prone"))),
    "context of a code": lambda: export(ViewCodeSequence=concept(
        "399348003", "SCT", "antero-posterior", ContextIdentifier="4010", MappingResource="DCMR",
        ContextGroupVersion="20141110", ContextUID="1.2.840.10008.6.1.259")),
    "procedure in codes": lambda: export(ProcedureCodeSequence=concept("399208008", "SCT", "Plain chest X-ray")),
    "exposure": lambda: export(**EXPOSURE),
    "grey scale": lambda: export(**GREY),
    "exposure, position and grey scale": lambda: export(**EXPOSURE, **POSITION, **GREY),
    "dummies": lambda: export(**DUMMIES),
    "trial": lambda: export(
        ClinicalTrialSponsorName="CCSMTL", ClinicalTrialProtocolID="RADIA", ClinicalTrialSiteID="CCSMTL",
        ClinicalTrialSubjectID="CC0001"),
    "clean descriptions": lambda: export(
        StudyDescription="CHEST PA AND LATERAL", SeriesDescription="CHEST PA", ProtocolName="Chest 2 views",
        PerformedProcedureStepDescription="THORAX FACE PROFIL"),
    "de-identifying equipment": lambda: export(ContributingEquipmentSequence=item(
        PurposeOfReferenceCodeSequence=concept("109104", "DCM", "De-identifying Equipment"), Manufacturer="PixelMed",
        SoftwareVersions="2.1.4", InstitutionName="")),
    "capture device": lambda: export(SecondaryCaptureDeviceManufacturer="GE Healthcare"),
    "padded name": lambda: export(PatientName="CC0001^^^^"),
    "age of two digits": lambda: export(PatientAge="61Y"),
    "age in months": lambda: export(PatientAge="018M"),
    "age of ninety-five": lambda: export(PatientAge="095Y"),
    "no age": lambda: export(PatientAge=""),
    "size and weight": lambda: export(PatientSize="1.72", PatientWeight="71.5", PregnancyStatus=4,
    SmokingStatus="UNKNOWN"),
    "source image with a purpose": lambda: export(SourceImageSequence=item(
        ReferencedSOPClassUID=files.DX, ReferencedSOPInstanceUID=f"{files.ROOT}99",
        PurposeOfReferenceCodeSequence=concept("121322", "DCM", "Source image for image processing operation"),
        SpatialLocationsPreserved="YES")),
    "derivation in codes": lambda: export(
        ImageType=["DERIVED", "PRIMARY", "", "RT"], DerivationDescription="Lossless JPEG compression",
        DerivationCodeSequence=concept("113040", "DCM", "Lossy Compression")),
    "secondary capture of a workstation": lambda: _secondary(),
    "time zone and character set": lambda: export(TimezoneOffsetFromUTC="-0500", SpecificCharacterSet="ISO_IR 192"),
    "two character sets": lambda: export(SpecificCharacterSet=["", "ISO 2022 IR 100"]),
    "modality table": lambda: looked_up("ModalityLUTSequence", ModalityLUTType="US", LUTExplanation="NORMAL"),
    "VOI table": lambda: looked_up("VOILUTSequence", LUTExplanation="STANDARD"),
    "events and creators": lambda: export(
        IrradiationEventUID=f"{files.ROOT}55", InstanceCreatorUID="1.3.6.1.4.1.5962.3", InstanceNumber="1",
        SeriesNumber="20001", AcquisitionNumber="1", PatientIdentityRemoved="YES", RecognizableVisualFeatures="NO"),
    "performed steps": lambda: export(ReferencedPerformedProcedureStepSequence=item(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.3", ReferencedSOPInstanceUID=f"{files.ROOT}44")),
    "group lengths": with_group_lengths,
    "length of the pixels' group": with_pixels_length,
    "length of the pixels' group before they were compressed": lambda: making.before(
        0x7FE00010, making.element(0x7FE00000, b"UL", struct.pack("<I", 32 * 24 * 2 + 12)),
        framed(making.J2K, making.frame(making.J2K))),
    "zeros behind the pixels": lambda: making.CLEAN + bytes(30),
    "trailing padding": lambda: making.CLEAN + making.element(0xFFFCFFFC, b"OB", bytes(64)),
    "checksum behind deflated data": deflated_with_checksum,
    "head of a TIFF": tiff_in_front,
    **{f"syntax {syntax}": (lambda syntax=syntax: files.clean_file(1, syntax=syntax)) for syntax in files.EXACT},
    "JPEG with JFIF": lambda: baseline((0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")),
    "JPEG with Adobe's transform": lambda: baseline((0xEE, b"Adobe\0d\0\0\0\0\0")),
    "JPEG of LEAD": lambda: baseline((0xFE, b"LEAD Technologies Inc. V1.01\0")),
    "JPEG of Intel": lambda: baseline((0xFE, b"Intel(R) JPEG Library, version [1.51.12.44]\0")),
    "JPEG with all standard tables": lambda: framed(making.BASELINE, _with_all_tables()),
    "JPEG padded": lambda: padded(making.BASELINE, b" "),
    "JPEG lossless padded": lambda: padded(making.LOSSLESS, b"\xff"),
    "JPEG-LS padded": lambda: padded(making.LS, b"\0"),
    "JPEG-LS with presets": lambda: framed(making.LS, _with_presets()),
    "JPEG 2000 of OpenJPEG": lambda: commented(making.J2K, b"Created by OpenJPEG version 2.5.0"),
    "JPEG 2000 of Kakadu": lambda: commented(making.J2K, b"Kakadu-v7.10.7"),
    "JPEG 2000 of Kakadu with layers": lambda: commented(
        making.J2K, b"Kdu-Layer-Info: log_2{Delta-D(squared-error)/Delta-L(bytes)}, L(bytes)\n-192.0, 4.1e+04\n"),
    "JPEG 2000 padded": lambda: padded(making.J2K, b"\xff"),
    "JPEG 2000 with lengths": lambda: framed(making.J2K, _with_lengths()),
    "HTJ2K of OpenJPH": lambda: commented(making.HT, b"OpenJPH Ver 0.10.0"),
    "fragments of a frame": lambda: _in_fragments(),
}  # fmt: skip


def _secondary() -> bytes:
    ds = made(ConversionType="WSD", Modality="CR")
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    return finished(ds)


def _with_all_tables() -> bytes:
    """A grey frame with the chrominance tables of T.81 annex K, which some encoders always write."""
    stream = making.frame(making.BASELINE)
    colours = imagecodecs.jpeg8_encode(np.zeros((16, 16, 3), np.uint8), colorspace="RGB", outcolorspace="YCBCR")
    tables, at = b"", 2
    while colours[at + 1] != 0xDA:
        size = int.from_bytes(colours[at + 2 : at + 4], "big")
        if colours[at + 1] in (0xC4, 0xDB) and colours[at + 4] & 15:
            tables += colours[at : at + 2 + size]
        at += 2 + size
    at = stream.index(b"\xff\xda")
    return stream[:at] + tables + stream[at:]


def _with_presets() -> bytes:
    """Preset coding parameters, each zero: the default (T.87 C.2.4.1.1)."""
    stream = making.frame(making.LS)
    at = stream.index(b"\xff\xda")
    return stream[:at] + making.segment(0xF8, b"\1" + bytes(10)) + stream[at:]


def _with_lengths() -> bytes:
    """Lengths of the tile parts in the main header (TLM), as they are."""
    stream = making.frame(making.J2K)
    sot = stream.index(b"\xff\x90")
    length = int.from_bytes(stream[sot + 6 : sot + 10], "big") or stream.rindex(b"\xff\xd9") - sot
    return stream[:sot] + making.segment(0x55, b"\0\x40" + length.to_bytes(4, "big")) + stream[sot:]


def _in_fragments() -> bytes:
    stream = making.frame(making.J2K)
    cut = len(stream) // 4 * 2
    return making.framed(making.J2K, [stream[:cut], stream[cut:]])


# --- deliveries of devices -------------------------------------------------------------------------------------------
def delivered(count: int = 8, patients: int = 4, **tags: object) -> list[bytes]:
    """Return files of one device over several patients."""
    meta = tags.pop("meta", None)
    root = tags.pop("root", None)
    return [
        export(number=number, meta=meta, root=root, patient=f"CC{number % patients:04d}", **tags)
        for number in range(1, count + 1)
    ]


DEVICES: dict[str, Callable[[], list[bytes]]] = {
    "GE Optima": lambda: delivered(
        Manufacturer='"GE Healthcare"', ManufacturerModelName="Optima XR646 HD",
        SoftwareVersions="dm_Platform_release_superbee-FW40_2-5012", DetectorID="PR4152-8_A12",
        DetectorDescription="FlashPad HD 3543", AcquisitionDeviceProcessingDescription="ADULT CHEST PA",
        AcquisitionDeviceProcessingCode="CHEST_PA_2", DetectorManufacturerName="GE Healthcare", Grid="NONE",
        DetectorManufacturerModelName="FlashPad HD"),
    "Siemens Ysio": lambda: delivered(
        Manufacturer="SIEMENS", ManufacturerModelName="Ysio X.pree", SoftwareVersions="VA10E  SP2",
        AcquisitionDeviceProcessingDescription="Thorax pa", AcquisitionDeviceProcessingCode="TH.pa 3",
        DetectorDescription="MAX wi-D", DetectorID="42-0871", PostprocessingFunction="DiamondView MAX",
        meta=tool("1.3.12.2.1107.5.3.58.40001", "SIEMENS_FLC_1.0", "YSIO01")),
    "Philips DigitalDiagnost": lambda: delivered(
        Manufacturer="Philips Medical Systems", ManufacturerModelName="DigitalDiagnost C90",
        SoftwareVersions=["1.1.2", "PMS81.101.2.1 GXR GXRIM10.0"], AcquisitionDeviceProcessingCode="UNIQUE 2",
        ProcessingFunction="CHEST.UNI.2", DetectorDescription="SkyPlate Large 35 x 43", DetectorID="SN-0412-B",
        meta=tool("1.3.46.670589.30.36.0", "ELEVA_3.1", "DIDI_C90")),
    "Fuji FDR": lambda: delivered(
        Manufacturer="FUJIFILM Corporation", ManufacturerModelName="DR-ID 1300", SoftwareVersions="A17-02",
        AcquisitionDeviceProcessingCode="GA1.2_GT-D_GC1.40_GS-0.12",
        AcquisitionDeviceProcessingDescription="CHEST,GENERAL",
        CassetteSize="35CMX43CM", PlateType="DR-ID 1313SE", DetectorID="DRID1313-77A", PhosphorType="CsI",
        ImageDisplayFormat="STANDARD\\1,1", ExposureControlModeDescription="L,R"),
    "Carestream DRX": lambda: delivered(
        Manufacturer="Carestream Health", ManufacturerModelName="DRX-Compass", SoftwareVersions="5.7.607.5011",
        DetectorManufacturerName="Carestream Health", DetectorManufacturerModelName="DRX-L",
        DetectorID="8A3B0117C", AcquisitionDeviceProcessingCode="EVP+ 44", PostprocessingFunction="EVP Plus 1.2"),
    "Agfa DX-D": lambda: delivered(
        Manufacturer="Agfa HealthCare", ManufacturerModelName="DX-D 300", SoftwareVersions="NX 4.0.4500 SU2",
        PlateType="DX-D 45C", AcquisitionDeviceProcessingCode="MUSICA3 CHEST 101", DetectorID="A5034_0171",
        meta=tool("1.3.51.0.1.1.0", "AGFA_NX_4", "NX_ROOM2")),
    "Canon CXDI": lambda: delivered(
        Manufacturer="Canon Inc.", ManufacturerModelName="CXDI-710C Wireless", SoftwareVersions="CXDI NE 3.10.0.9",
        AcquisitionDeviceProcessingCode="CHEST_P-A 14", DetectorDescription="CXDI-710C", DetectorID="710C-20-0098",
        meta=tool("1.2.392.200046.100.2.1", "CXDI_NE_31", "CXDI710")),
    "Konica Minolta": lambda: delivered(
        Manufacturer="KONICA MINOLTA", ManufacturerModelName="CS-7 / AeroDR HD", SoftwareVersions="V1.31R00",
        PlateType="AeroDR 1417HQ", DetectorID="A5Z7-00417", AcquisitionDeviceProcessingCode="A-THX-PA",
        ProcessingFunction="F-Processing H1,E0.30", AcquisitionDeviceProcessingDescription="Chest PA AUTO"),
    "Samsung GC85A": lambda: delivered(
        Manufacturer="Samsung Electronics", ManufacturerModelName="GC85A Prime",
        SoftwareVersions="v3.02.06.02-M1.10-r4",
        DetectorDescription="S4335-AW", DetectorID="S4335AW0R1B", AcquisitionDeviceProcessingCode="S-Vue 3.02"),
    "Shimadzu": lambda: delivered(
        Manufacturer="SHIMADZU CORPORATION", ManufacturerModelName="MobileDaRt Evolution MX8",
        SoftwareVersions="MX8 V3.2-b",
        AcquisitionDeviceProcessingCode="CHEST-M2/4", DetectorID="PX-1417-77", ImageType=["ORIGINAL",
        "PRIMARY", "MX8"]),
    "a maker that nobody knows": lambda: delivered(
        Manufacturer="Radiolux SA", ManufacturerModelName="LX-7 Duo", SoftwareVersions="lx_7r2-beta",
        DetectorManufacturerName="Radiolux SA", DetectorID="LX7-00-12", ExposureControlModeDescription="AEC: centre"),
    "a hospital's root, title and method": lambda: delivered(
        root="1.2.124.113532.80.22179.", meta=tool("1.2.276.0.7230010.3.0.3.6.8", "OFFIS_DCMTK_368", "CHUM_DEID2"),
        DeidentificationMethod="CHU deid pipeline 2.3"),
    "a trial of another sponsor": lambda: delivered(
        ClinicalTrialSponsorName="Chest Cohort 7", ClinicalTrialProtocolID="CC7-2021", ClinicalTrialSiteID="S04",
        ClinicalTrialProtocolName="CC7", ClinicalTrialSiteName="Site 04"),
    "serial numbers and stations": lambda: delivered(
        DeviceSerialNumber="SN-20117-B", StationName="DX2-ROOM4", ProtocolName="CHEST-PA ROUTINE",
        PixelSpacingCalibrationDescription="Geometry at 1.1"),
    "a hospital's pseudonyms": lambda: [
        export(number=number, patient=f"CHUQ-{number // 2:06d}", PatientName=f"CHUQ-{number // 2:06d}^^^")
        for number in range(10, 22)
    ],
    "two rooms of one maker": lambda: [
        *delivered(6, 3, ManufacturerModelName="DRX-Transportable", SoftwareVersions="6.0.10 (x64)",
        DetectorID="RM1-77A-X"),
        *[export(number=n, patient=f"CC{n % 3:04d}", ManufacturerModelName="DRX-Ascend 2", DetectorID="RM2-78B-X")
          for n in range(20, 26)]],
}  # fmt: skip
