"use strict";
// Three linked planes of each volume. Left of the brain is left of the picture. Bytes are read, not pictures, so that
// the values under the cross are those that were written, to 1 in 255.
(() => {
  const PLANES = [["axial", 0, 1, 2], ["coronal", 0, 2, 1], ["sagittal", 1, 2, 0]];  // across, up, through
  const SIDES = [["L", "R"], ["P", "A"], ["I", "S"]];
  const PIXELS = 2;  // of the canvas for each mm

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const unpack = async (text) => {
    const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const make = (tag, options = {}, ...inside) => {
    const element = Object.assign(document.createElement(tag), options);
    element.append(...inside);
    return element;
  };

  class Viewer {
    constructor(root, content) {
      Object.assign(this, content);
      this.root = root;
      this.canvases = [];
      this.sliders = [];
      this.crossed = true;
    }

    async start() {
      const volumes = await Promise.all([...this.layers, ...this.outlines].map((one) => unpack(one.data)));
      [...this.layers, ...this.outlines].forEach((one, k) => { one.values = volumes[k]; });
      this.layers.forEach((layer) => { layer.table = this.table(layer); });
      this.root.querySelector(".waiting").remove();
      this.root.prepend(this.planes(), this.controls());
      this.go(this.places.length ? this.places[0].mm : this.shape.map((n, a) => this.mm(n / 2, a)));
      this.root.dataset.ready = "yes";
    }

    table(layer) {  // byte to colour, on the fixed scale
      const colours = bytes(layer.colours), [low, high] = layer.shown;
      return Uint32Array.from({ length: 256 }, (_, byte) => {
        const share = (this.value(layer, byte) - low) / (high - low);
        const k = 3 * Math.round(255 * Math.min(1, Math.max(0, share)));
        return (255 << 24 | colours[k + 2] << 16 | colours[k + 1] << 8 | colours[k]) >>> 0;
      });
    }

    value(layer, byte) { return layer.range[0] + byte / 255 * (layer.range[1] - layer.range[0]); }
    mm(index, axis) { return this.first_mm[axis] + index * this.step_mm[axis]; }
    index(mm, axis) {
      return Math.min(this.shape[axis] - 1, Math.max(0, Math.round((mm - this.first_mm[axis]) / this.step_mm[axis])));
    }
    at(i, j, k) { return i + this.shape[0] * (j + this.shape[1] * k); }

    planes() {
      const size = this.shape.map((n, a) => n * this.step_mm[a]);
      const rows = make("div", { className: "rows" });
      rows.style.gridTemplateColumns = `${PLANES.map(([, a]) => `${Math.round(size[a])}fr`).join(" ")} 5.5rem`;
      this.layers.forEach((layer, row) => {
        PLANES.forEach((plane) => rows.append(this.canvas(layer, plane, size, row)));
        rows.append(this.scale(layer));
      });
      return make("div", { className: "planes" }, rows);
    }

    canvas(layer, plane, size, row) {
      const [name, across, up, through] = plane;
      const canvas = make("canvas", {
        width: Math.round(PIXELS * size[across]), height: Math.round(PIXELS * size[up]), tabIndex: row ? -1 : 0,
        title: "click: go there; arrow keys: move; page up and down, or the wheel after a click: next slice",
      });
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${layer.title}, ${name} plane`);
      const follow = (event) => {
        const box = canvas.getBoundingClientRect(), place = [...this.place];
        place[across] = Math.floor((event.clientX - box.left) / box.width * this.shape[across]);
        place[up] = Math.floor((box.bottom - event.clientY) / box.height * this.shape[up]);
        this.show(place);
      };
      canvas.addEventListener("pointerdown", (event) => { canvas.focus({ preventScroll: true }); follow(event); });
      canvas.addEventListener("pointermove", (event) => event.buttons && follow(event));
      canvas.addEventListener("wheel", (event) => {
        if (document.activeElement !== canvas) return;  // else the page scrolls
        event.preventDefault();
        this.move(through, -Math.sign(event.deltaY));
      }, { passive: false });
      canvas.addEventListener("keydown", (event) => {
        const moves = { ArrowLeft: [across, -1], ArrowRight: [across, 1], ArrowDown: [up, -1], ArrowUp: [up, 1],
          PageDown: [through, -1], PageUp: [through, 1] };
        if (!(event.key in moves)) return;
        event.preventDefault();
        this.move(...moves[event.key]);
      });
      const small = make("canvas", { width: this.shape[across], height: this.shape[up] });
      this.canvases.push({ canvas, small, layer, plane });
      return canvas;
    }

    scale(layer) {
      const bar = make("canvas", { width: 1, height: 256, className: "bar" }), colours = bytes(layer.colours);
      const shown = bar.getContext("2d").createImageData(1, 256);
      for (let k = 0; k < 256; k++) shown.data.set([...colours.slice(3 * k, 3 * k + 3), 255], 4 * (255 - k));
      bar.getContext("2d").putImageData(shown, 0, 0);
      const [low, high] = layer.shown.map((end) => make("b", { textContent: String(end) }));
      return make("div", { className: "scale" }, bar, high, make("b", { textContent: layer.unit }), low);
    }

    controls() {
      const found = make("div", { className: "controls" });
      this.places.forEach((place) => {
        const button = make("button", { type: "button", textContent: place.name });
        button.addEventListener("click", () => this.go(place.mm));
        found.append(button);
      });
      ["x (left to right)", "y (back to front)", "z (down to up)"].forEach((name, axis) => {
        const slider = make("input", { type: "range", min: 0, max: this.shape[axis] - 1, step: 1 });
        slider.addEventListener("input", () => this.show(this.place.map((n, a) => a === axis ? +slider.value : n)));
        this.sliders.push(slider);
        found.append(make("label", {}, `${name} `, slider));
      });
      const switches = [["cross", this, "crossed"], ...this.outlines.map((o) => [`outline: ${o.name}`, o, "drawn"])];
      switches.forEach(([name, owner, key]) => {
        owner[key] = true;
        const box = make("input", { type: "checkbox", checked: true });
        box.addEventListener("change", () => { owner[key] = box.checked; this.show(this.place); });
        found.append(make("label", {}, box, ` ${name}`));
      });
      this.output = make("output");
      this.output.setAttribute("aria-live", "polite");
      found.append(this.output);
      return found;
    }

    go(mm) { this.show(mm.map((x, axis) => this.index(x, axis))); }
    move(axis, by) { this.show(this.place.map((n, a) => a === axis ? n + by : n)); }

    show(place) {
      this.place = place.map((n, a) => Math.min(this.shape[a] - 1, Math.max(0, n)));
      this.canvases.forEach((one) => this.draw(one));
      this.sliders.forEach((slider, axis) => {
        slider.value = this.place[axis];
        slider.setAttribute("aria-valuetext", `${Math.round(this.mm(this.place[axis], axis))} mm`);
      });
      const here = this.at(...this.place);
      const values = this.layers.map((layer) => {
        const digits = (layer.range[1] - layer.range[0]) / 255 > 0.01 ? 1 : 2;  // as many as 255 steps can tell
        return `${layer.unit} ${this.value(layer, layer.values[here]).toFixed(digits)}`;
      });
      const mm = this.place.map((n, a) => Math.round(this.mm(n, a)) + 0);
      this.output.textContent = `At ${mm.join(" ")} mm: ${values.join("; ")}.`;
    }

    draw({ canvas, small, layer, plane: [, across, up, through] }) {
      const [wide, high] = [this.shape[across], this.shape[up]], spot = [0, 0, 0];
      spot[through] = this.place[through];
      const position = (c, r) => { spot[across] = c; spot[up] = r; return this.at(...spot); };
      const pen = small.getContext("2d"), picture = pen.createImageData(wide, high);
      const pixels = new Uint32Array(picture.data.buffer);
      for (let r = 0; r < high; r++)
        for (let c = 0; c < wide; c++) pixels[(high - 1 - r) * wide + c] = layer.table[layer.values[position(c, r)]];
      pen.putImageData(picture, 0, 0);
      const big = canvas.getContext("2d"), [sx, sy] = [canvas.width / wide, canvas.height / high];
      big.imageSmoothingEnabled = false;
      big.drawImage(small, 0, 0, canvas.width, canvas.height);
      this.outlines.filter((o) => o.drawn).forEach((outline) => {
        const inside = (c, r) => c >= 0 && r >= 0 && c < wide && r < high && outline.values[position(c, r)] > 0;
        big.beginPath();
        for (let r = -1; r < high; r++)
          for (let c = -1; c < wide; c++) {
            const [x, y] = [(c + 1) * sx, canvas.height - (r + 1) * sy];
            if (inside(c, r) !== inside(c + 1, r)) { big.moveTo(x, y); big.lineTo(x, y + sy); }
            if (inside(c, r) !== inside(c, r + 1)) { big.moveTo(x - sx, y); big.lineTo(x, y); }
          }
        big.strokeStyle = outline.colour;
        big.lineWidth = 2;
        big.stroke();
      });
      if (this.crossed) this.cross(big, canvas, (this.place[across] + 0.5) * sx, canvas.height - (this.place[up] + 0.5) * sy);
      big.fillStyle = "#ffffff";
      big.font = "bold 20px sans-serif";
      SIDES[across].forEach((side, k) => {
        big.textAlign = k ? "right" : "left";
        big.fillText(side, k ? canvas.width - 6 : 6, 22);
      });
    }

    cross(pen, canvas, x, y) {
      pen.beginPath();
      const gap = 14;  // the place itself stays free
      for (const [a, b, c, d] of [[x, 0, x, y - gap], [x, y + gap, x, canvas.height], [0, y, x - gap, y],
        [x + gap, y, canvas.width, y]]) { pen.moveTo(a, b); pen.lineTo(c, d); }
      pen.strokeStyle = "rgb(255 255 255 / 70%)";
      pen.lineWidth = 1.5;
      pen.stroke();
    }
  }

  document.querySelectorAll(".viewer").forEach((root) => {
    const viewer = new Viewer(root, JSON.parse(root.dataset.content));
    viewer.start().catch(() => {
      root.querySelector(".waiting").textContent = "This browser is too old for the viewer; the other pictures do not need it.";
    });
  });
})();
