"""lesson.zip: the page as a SCORM 1.2 package, for a learning-management system."""

import zipfile
from html import escape
from pathlib import Path
from xml.sax.saxutils import quoteattr

PAGE, MANIFEST = "lesson.html", "imsmanifest.xml"
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the same lesson gives the same bytes
# IMS Content Packaging 1.1.2 as SCORM 1.2 (ADL, 2001) profiles it: one organisation with one item,
# that launches one sharable content object.
_XML = """<?xml version="1.0" encoding="UTF-8"?>
<manifest identifier="calcinosis_lesson" version="1.0"
  xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2"
  xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2">
  <metadata>
    <schema>ADL SCORM</schema>
    <schemaversion>1.2</schemaversion>
  </metadata>
  <organizations default="lesson">
    <organization identifier="lesson">
      <title>{title}</title>
      <item identifier="cases" identifierref="page" isvisible="true">
        <title>{title}</title>
      </item>
    </organization>
  </organizations>
  <resources>
    <resource identifier="page" type="webcontent" adlcp:scormtype="sco" href={page}>
      <file href={page}/>
    </resource>
  </resources>
</manifest>
"""


def manifest(title: str) -> str:
    """What tells a learning-management system how to launch the lesson."""
    return _XML.format(title=escape(title, quote=False), page=quoteattr(PAGE))


def write_package(page: str, title: str, path: Path) -> None:
    """Write the package: the manifest at its root, and the page."""
    with zipfile.ZipFile(path, "w") as package:
        for name, content in ((MANIFEST, manifest(title)), (PAGE, page)):
            entry = zipfile.ZipInfo(name, _NO_TIME)
            entry.external_attr = 0o644 << 16
            package.writestr(entry, content.encode("utf-8"), zipfile.ZIP_DEFLATED)
