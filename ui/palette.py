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

# Runs beside each other: none looks like real or fake, and each has a dash of its own, because eight hues are too many for a
# colour-blind eye (the nearest two are 10 apart in CIE Lab as Machado et al. 2009 simulate it).
RUNS = {
    "light": ("#332288", "#2A9D8F", "#7A1F52", "#8F8A1A", "#A45BC8", "#CC6677", "#117733", "#6B6F80"),
    "dark": ("#8F86FF", "#4FD6C2", "#D0508F", "#DDD45A", "#D9A5F5", "#FF9BA8", "#4FA85E", "#858B9C"),
}
DASHES = ([], [7, 3], [2, 2], [9, 3, 2, 3], [4, 4], [12, 3], [2, 4], [6, 2, 2, 2, 2, 2])  # of a run's line, in pixels
