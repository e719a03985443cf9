"""The colours of what is real and what is generated, for pictures that leave the pages; those of `ui/palette.py`."""

COLOURS = {
    "light": {"real": "#0072B2", "fake": "#D9600A", "discriminator": "#00805C", "generator": "#B0387B", "accent": "#4F46C8"},
    "dark": {"real": "#56B4E9", "fake": "#FF9A3D", "discriminator": "#2FC79B", "generator": "#EE8FC4", "accent": "#A5A0FF"},
}
