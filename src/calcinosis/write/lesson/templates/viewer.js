// Hounsfield units of each grey level of the images, and back to what is shown.
const hounsfield = Array.from({ length: 256 }, (_, grey) => {
  const at = data.levels_hu.findIndex(([level]) => grey <= level) || 1;
  const [[from, low], [to, high]] = data.levels_hu.slice(at - 1, at + 1);
  return low + ((grey - from) * (high - low)) / (to - from);
});

/* The slices of one case, on a canvas. */
class Viewer {
  constructor(root, scans, number) {
    Object.assign(this, { root, scans, number, scan: 0, mark: null, outlines: false, cursor: null });
    this.slice = scans[0].first;
    this.window = data.windows_hu.bone.slice();
    this.images = scans.map((scan) => scan.images.map(() => null));
    this.build();
    this.show();
  }

  get current() {
    return this.scans[this.scan];
  }

  build() {
    const make = (tag, options, parent) => parent.appendChild(Object.assign(document.createElement(tag), options));
    this.stage = make("div", { className: "stage", tabIndex: 0 }, this.root);
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute(
      "aria-label",
      "CT slices. Arrow keys move the cross, page up and page down change the slice, enter sets your mark."
    );
    this.canvas = make("canvas", {}, this.stage);
    this.over = make("canvas", {}, this.stage);
    make("span", { className: "side", textContent: "R", style: "left:8px" }, this.stage);
    make("span", { className: "side", textContent: "L", style: "right:8px" }, this.stage);
    this.scale = make("span", { className: "scale" }, this.stage);
    this.readout = make("p", { className: "readout" }, this.root);
    this.readout.setAttribute("aria-live", "polite");
    const controls = make("div", { className: "controls" }, this.root);
    if (this.scans.length > 1) {
      const row = make("div", { className: "row" }, controls);
      this.tabs = this.scans.map((scan, at) => {
        const tab = make("button", { type: "button", textContent: scan.name }, row);
        tab.addEventListener("click", () => this.choose(at));
        return tab;
      });
    }
    const slider = (name, low, high, change) => {
      const id = `v${this.number}-${name}`;
      make("label", { htmlFor: id, textContent: name }, controls);
      const input = make("input", { type: "range", id, min: low, max: high, step: 1 }, controls);
      input.addEventListener("input", () => {
        change(Number(input.value));
        this.show();
      });
      return input;
    };
    this.height = slider("Slice", 0, this.current.images.length - 1, (value) => (this.slice = value));
    this.level = slider("Level", -150, 1000, (value) => (this.window[0] = value));
    this.width = slider("Width", 50, 2000, (value) => (this.window[1] = value));
    const row = make("div", { className: "row" }, controls);
    for (const [name, window] of Object.entries(data.windows_hu)) {
      const button = make("button", { type: "button", className: "quiet", textContent: `${name} window` }, row);
      button.addEventListener("click", () => {
        this.window = window.slice();
        this.show();
      });
    }
    this.stage.addEventListener("click", (event) => {
      const box = this.canvas.getBoundingClientRect();
      const scale = this.current.pixels / box.width;
      this.place((event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
    });
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.addEventListener("keydown", (event) => this.key(event));
  }

  wheel(event) {
    if (event.ctrlKey) return;
    event.preventDefault();
    this.turn(Math.sign(event.deltaY));
  }

  key(event) {
    const half = this.current.pixels / 2;
    const at = this.cursor || { x: half, y: half };
    const far = event.shiftKey ? 20 : 4;
    const moves = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] };
    if (moves[event.key]) {
      const bound = (value) => Math.min(Math.max(value, 0), this.current.pixels - 1);
      this.cursor = { x: bound(at.x + moves[event.key][0]), y: bound(at.y + moves[event.key][1]) };
      this.show();
    } else if (event.key === "PageUp" || event.key === "PageDown") {
      this.turn(event.key === "PageUp" ? -1 : 1);
    } else if (event.key === "Enter" || event.key === " ") {
      this.place(at.x, at.y);
    } else {
      return;
    }
    event.preventDefault();
  }

  turn(by) {
    this.slice = Math.min(Math.max(this.slice + by, 0), this.current.images.length - 1);
    this.show();
  }

  choose(scan) {
    this.scan = scan;
    this.slice = Math.min(this.slice, this.current.images.length - 1);
    this.show();
  }

  place(x, y) {
    this.mark = { scan: this.scan, slice: this.slice, x: Math.round(x), y: Math.round(y) };
    this.cursor = { x, y };
    this.show();
  }

  show() {
    const { scan, slice } = this;
    const field_mm = this.current.pixels * this.current.pixel_mm;
    const bar_mm = field_mm > 150 ? 50 : 20;
    this.scale.textContent = `${bar_mm / 10} cm`;
    this.scale.style.width = `${(100 * bar_mm) / field_mm}%`;
    this.height.max = this.current.images.length - 1;
    this.height.value = slice;
    [this.level.value, this.width.value] = this.window;
    (this.tabs || []).forEach((tab, at) => tab.setAttribute("aria-pressed", at === scan));
    const known = this.images[scan][slice];
    if (known) return this.draw(known);
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = this.scans[scan].pixels;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
      this.images[scan][slice] = pixels.filter((_, at) => at % 4 === 0);
      if (this.scan === scan && this.slice === slice) this.draw(this.images[scan][slice]);
    };
    image.src = this.scans[scan].images[slice];
  }

  draw(greys) {
    const size = this.current.pixels;
    const [level, width] = this.window;
    const shown = hounsfield.map((hu) => (255 * (hu - level + width / 2)) / width);
    for (const canvas of [this.canvas, this.over]) if (canvas.width !== size) canvas.width = canvas.height = size;
    const picture = new ImageData(size, size);
    greys.forEach((grey, at) => picture.data.set([shown[grey], shown[grey], shown[grey], 255], 4 * at));
    this.canvas.getContext("2d").putImageData(picture, 0, 0);
    this.marks();
    const told = [`Slice ${this.slice + 1} of ${this.current.images.length}`];
    if (this.cursor) {
      const at = Math.round(this.cursor.y) * size + Math.round(this.cursor.x);
      const hu = String(Math.round(hounsfield[greys[at] || 0] / 10) * 10);
      told.push(`${hu.replace("-", "−")} HU under the cross`);
    }
    this.readout.textContent = told.join(", ");
  }

  marks() {
    const context = this.over.getContext("2d");
    context.clearRect(0, 0, this.over.width, this.over.height);
    if (this.outlines) {
      this.curves(context, this.current.measured.mass[this.slice], "#e69f00", []);
      this.curves(context, (this.current.drawn[this.outlines] || [])[this.slice], "#fff", [2, 2]);
    }
    const here = this.mark && this.mark.scan === this.scan && this.mark.slice === this.slice;
    if (here) cross(context, this.mark.x, this.mark.y, "#56b4e9", 2);
    else if (this.cursor) cross(context, this.cursor.x, this.cursor.y, "#9aa4b0", 1);
  }

  curves(context, curves, colour, dash) {
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.setLineDash(dash);
    for (const curve of curves || []) {
      context.beginPath();
      curve.forEach(([x, y]) => context.lineTo(x, y));
      context.closePath();
      context.stroke();
    }
    context.setLineDash([]);
  }

  /* After the answer: where it is, on a slice that shows it. */
  reveal(target) {
    this.outlines = target;
    const places = this.scans[0].drawn[target];
    const sizes = places.map((curves) => curves.reduce((sum, curve) => sum + curve.length, 0));
    if (this.scan === 0 && !sizes[this.slice]) this.slice = sizes.indexOf(Math.max(...sizes));
    this.show();
  }
}

function cross(context, x, y, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  for (const [a, b] of [[3, 10], [-3, -10]]) {
    context.moveTo(x + a, y);
    context.lineTo(x + b, y);
    context.moveTo(x, y + a);
    context.lineTo(x, y + b);
  }
  context.stroke();
}
