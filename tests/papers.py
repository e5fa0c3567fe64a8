"""Small documents and pictures that the tests write themselves."""

import base64
import io
import zipfile

from PIL import Image, ImageDraw, ImageFont

DOCX_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"


def pdf(*pages: str, encrypted: bool = False) -> bytes:
    """A PDF with a line of text on each page; an encrypted one opens with no password that anybody knows."""
    kids = " ".join(f"{4 + 2 * place} 0 R" for place in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for place, text in enumerate(pages):
        drawn = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET" if text else ""
        objects += [
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * place} 0 R >>",
            f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        ]
    trailer = f"/Size {len(objects) + 1} /Root 1 0 R"
    if encrypted:
        lock = "A" * 64
        trailer += f" /ID [<{lock}> <{lock}>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{lock}> /U <{lock}> >>"
    made, places = "%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(made))
        made += f"{number} 0 obj\n{one}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    made += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< {trailer} >>\n"
    return (made + f"startxref\n{made.index('xref')}\n%%EOF\n").encode()


def docx(text: str | bytes) -> bytes:
    """A Word document of one paragraph."""
    content = text.encode() if isinstance(text, str) else text
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as folder:
        kind = DOCX_TYPE + ".main+xml"
        folder.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{kind}"/></Types>',
        )
        folder.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
            f'Type="{_OFFICE}/relationships/officeDocument" Target="word/document.xml"/></Relationships>',
        )
        folder.writestr(
            "word/document.xml",
            f'<w:document xmlns:w="{_WORD}"><w:body><w:p><w:r><w:t>'.encode()
            + content
            + b"</w:t></w:r></w:p></w:body></w:document>",
        )
    return made.getvalue()


def picture(*lines: str, form: str = "PNG") -> bytes:
    """A picture with these lines of black text on white."""
    image = Image.new("RGB", (640, 40 + 60 * max(1, len(lines))), "white")
    draw = ImageDraw.Draw(image)
    for place, line in enumerate(lines):
        draw.text((20, 20 + 60 * place), line, fill="black", font=ImageFont.load_default(36))
    return encoded(image, form)


def scan(*pages: str) -> bytes:
    """A PDF of pictures with a line of text on each page."""
    first, *others = (Image.open(io.BytesIO(picture(text))) for text in pages)
    made = io.BytesIO()
    first.save(made, "PDF", save_all=True, append_images=others)
    return made.getvalue()


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    """The file of an image."""
    made = io.BytesIO()
    image.save(made, form)
    return made.getvalue()


def data_url(data: bytes, kind: str) -> str:
    """The bytes as a `data:` URL."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
