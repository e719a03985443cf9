// One small picture of a GAN: its points over the data's, or nine of its images.

export function drawPoints(c, t, x, y, side, tile, real) {
  const scale = (side - 4) / 254, dot = side > 70 ? 2 : 1.5;
  const spot = (points, i) => c.fillRect(x + 2 + points[i] * scale, y + 2 + (254 - points[i + 1]) * scale, dot, dot);
  c.globalAlpha = 0.35;
  c.fillStyle = t.real;
  for (let i = 0; real && i < real.length; i += 2) spot(real, i);
  c.globalAlpha = 0.9;
  c.fillStyle = t.fake;
  for (let i = 0; i < tile.length; i += 2) if (tile[i] !== 255) spot(tile, i); // 255 lies outside of the picture
  c.globalAlpha = 1;
}

let sheet = null;

// Nine images, each [channels, size, size], as three rows of three.
export function drawImages(c, x, y, side, tile, [channels, size]) {
  sheet = sheet || document.createElement("canvas");
  sheet.width = sheet.height = 3 * size;
  const picture = new ImageData(3 * size, 3 * size), pixels = size * size;
  for (let k = 0; k < 9; k++) for (let p = 0; p < pixels; p++) {
    const at = k * channels * pixels + p, row = Math.floor(k / 3) * size + Math.floor(p / size), column = (k % 3) * size + (p % size);
    const o = 4 * (row * 3 * size + column);
    for (let ch = 0; ch < 3; ch++) picture.data[o + ch] = tile[at + (channels === 3 ? ch * pixels : 0)];
    picture.data[o + 3] = 255;
  }
  sheet.getContext("2d").putImageData(picture, 0, 0);
  c.imageSmoothingEnabled = false;
  c.drawImage(sheet, x + 2, y + 2, side - 4, side - 4);
}
