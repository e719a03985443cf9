"""The one table of colours that mean something. Real and fake, discriminator and generator look the same everywhere.

The hues follow Okabe and Ito's set for colour-blind readers; each also differs in lightness or in the line's dash, and
the tones are chosen for contrast on the light and the dark background.
"""

PALETTE = {
    "light": {
        "real": "#0072B2",
        "fake": "#D9600A",
        "discriminator": "#00805C",
        "generator": "#B0387B",
        "accent": "#4F46C8",
    },
    "dark": {
        "real": "#56B4E9",
        "fake": "#FF9A3D",
        "discriminator": "#2FC79B",
        "generator": "#EE8FC4",
        "accent": "#A5A0FF",
    },
}

STATUS = {  # status of a run -> (word, Streamlit's colour name)
    "queued": ("Waiting", "gray"),
    "running": ("Training", "green"),
    "paused": ("Paused", "orange"),
    "stopped": ("Stopped", "gray"),
    "interrupted": ("Interrupted", "orange"),
    "finished": ("Finished", "blue"),
    "failed": ("Failed", "red"),
}
