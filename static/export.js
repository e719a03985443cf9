// Saves an SVG drawing as a file: as it is, or as a PNG of twice its size.

function text(svg) {
  const copy = svg.cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return new XMLSerializer().serializeToString(copy);
}

function save(blob, name) {
  const url = URL.createObjectURL(blob), link = document.createElement("a");
  Object.assign(link, { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

function saveSvg(svg, name) {
  save(new Blob([text(svg)], { type: "image/svg+xml" }), `${name}.svg`);
}

async function savePng(svg, name) {
  const picture = new Image(), url = URL.createObjectURL(new Blob([text(svg)], { type: "image/svg+xml" }));
  picture.src = url;
  await picture.decode();
  const canvas = document.createElement("canvas"), { width, height } = svg.viewBox.baseVal;
  canvas.width = 2 * width;
  canvas.height = 2 * height;
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  canvas.toBlob((blob) => save(blob, `${name}.png`), "image/png");
}

export const SAVE = `<button type="button" data-save="png">Save PNG</button><button type="button" data-save="svg">Save SVG</button>`;

// Makes the buttons of SAVE in an element work. `find` gives [svg, name of the file], or nothing while there is nothing to save.
export function saving(root, find) {
  for (const button of root.querySelectorAll("button[data-save]")) {
    button.onclick = () => {
      const [svg, name] = find() || [];
      if (svg) (button.dataset.save === "png" ? savePng : saveSvg)(svg, name);
    };
  }
}
