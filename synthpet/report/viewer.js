"use strict";
// Three linked planes of each volume, one volume a row; any other can be laid over the first. Images are unpacked one
// after another once the reader comes near them, and only pictures that can be seen are drawn.
(() => {
  const { Layer, unpack } = viewerLayers, { PLANES, Space, Picture, outlineOf } = viewerPlanes;
  const { Panel, make, slider, button, chosen, switched } = viewerPanel;
  const AXES = ["x (left to right of the patient)", "y (back to front)", "z (down to up)"];
  const SIDES = {
    false: ["Neurological: left of the picture is the left of the patient", "Switch to radiological"],
    true: ["Radiological: left of the picture is the right of the patient", "Switch to neurological"],
  };
  const HINT = "click: go there; arrow keys: move; page up and down, or the wheel after a click: next slice";

  class Viewer {
    constructor(root, content) {
      this.root = root;
      this.sources = [...root.querySelectorAll("script")];  // of the layers, then of the outlines
      this.space = new Space(content);
      this.layers = content.layers.map((about) => new Layer(about, content.palettes));
      this.outlines = content.outlines.map((one) => ({ ...one, drawn: true, values: null, paths: {} }));
      this.places = content.places;
      this.place = this.space.nearest(
        this.places.length ? this.places[0].mm : content.shape.map((n, axis) => this.space.mm(n / 2, axis)));
      Object.assign(this, { radiological: content.radiological, crossed: true, over: null, opacity: 0.6 });
      this.pictures = [];
      this.panels = this.layers.map((layer) => new Panel(layer, (act) => this.rescale(layer, act)));
    }

    start() {
      this.root.querySelector(".waiting").remove();
      this.root.prepend(this.bar(), this.controls(), this.planes());
      this.watch();
      this.rescale(this.layers[0], () => {});
      this.turn(this.radiological);
    }

    // Where the crosshair is and the values there: stays in sight while the page scrolls.
    bar() {
      this.output = make("output");
      this.output.setAttribute("aria-live", "polite");
      return make("div", { className: "here" }, this.output);
    }

    controls() {
      const jumps = this.places.map((place) => button(place.name, () => this.show(this.space.nearest(place.mm))));
      this.side = make("span");
      this.turner = button("", () => this.turn(!this.radiological));
      this.sliders = AXES.map((_, axis) => slider(0, this.space.shape[axis] - 1, 1, (n) => this.set(axis, n)));
      const shown = [
        switched("crosshair", true, (on) => { this.crossed = on; this.redraw(); }),
        ...this.outlines.map((one) => switched(`outline: ${one.name}`, true, (on) => { one.drawn = on; this.redraw(); })),
      ];
      const groups = [jumps, [make("span", {}, this.side, " ", this.turner), ...this.fusion()],
        AXES.map((name, axis) => make("label", {}, `${name} `, this.sliders[axis])), [...shown, ...this.rows()]];
      return make("div", { className: "controls" },
        ...groups.filter((group) => group.length).map((group) => make("div", {}, ...group)));
    }

    rows() {
      if (this.layers.length < 2) return [];
      return ["Rows:", ...this.layers.map((layer, k) => switched(layer.title, true, (on) => {
        const pictures = this.pictures.filter((one) => one.layer === layer).map((one) => one.canvas);
        [...pictures, this.panels[k].root].forEach((element) => { element.hidden = !on; });
      }))];
    }

    fusion() {
      if (this.layers.length < 2) return [];
      const options = [["", "none"], ...this.layers.slice(1).map((layer, k) => [String(k + 1), layer.title])];
      const over = chosen(options, (k) => {
        this.over = k ? this.layers[+k] : null;
        this.rescale(this.layers[0], () => {});
        this.show(this.place);
      });
      const share = make("span", { textContent: "60 %" });
      const opacity = slider(0, 100, 1, (percent) => {
        this.opacity = percent / 100;
        share.textContent = `${percent} %`;
        this.redraw();
      });
      opacity.value = 60;
      return [make("span", {}, make("label", {}, `Over the ${this.layers[0].title}: `, over), " ",
        make("label", {}, "opacity ", opacity, " ", share))];
    }

    planes() {
      const rows = make("div", { className: "rows" });
      rows.style.gridTemplateColumns = `${PLANES.map(({ across }) => `${Math.round(this.space.size(across))}fr`).join(" ")} 9rem`;
      this.layers.forEach((layer, row) => {
        PLANES.forEach((plane) => rows.append(this.picture(layer, plane, row)));
        rows.append(this.panels[row].root);
      });
      return make("div", { className: "planes" }, rows);
    }

    picture(layer, plane, row) {
      const one = new Picture(this.space, layer, plane), { canvas } = one, { across, up, through } = plane;
      Object.assign(canvas, { tabIndex: row ? -1 : 0, title: HINT });
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${layer.title}, ${plane.name} plane`);
      const follow = (event) => this.show(one.under(event, this));
      canvas.addEventListener("pointerdown", (event) => { canvas.focus({ preventScroll: true }); follow(event); });
      canvas.addEventListener("pointermove", (event) => event.buttons && follow(event));
      canvas.addEventListener("wheel", (event) => {
        if (document.activeElement !== canvas) return;  // else the page scrolls
        event.preventDefault();
        this.set(through, this.place[through] - Math.sign(event.deltaY));
      }, { passive: false });
      canvas.addEventListener("keydown", (event) => {
        const right = one.mirrored(this) ? -1 : 1;
        const moves = { ArrowLeft: [across, -right], ArrowRight: [across, right], ArrowDown: [up, -1], ArrowUp: [up, 1],
          PageDown: [through, -1], PageUp: [through, 1] };
        if (!(event.key in moves)) return;
        event.preventDefault();
        const [axis, by] = moves[event.key];
        this.set(axis, this.place[axis] + by);
      });
      this.pictures.push(one);
      return canvas;
    }

    // Draw what comes into sight; unpack when the first picture comes near.
    watch() {
      const near = new IntersectionObserver((entries) => {
        entries.forEach(({ target, isIntersecting }) => {
          this.pictures.find((one) => one.canvas === target).seen = isIntersecting;
        });
        if (entries.some((entry) => entry.isIntersecting)) this.load();
        this.redraw();
      }, { rootMargin: "50%" });
      this.pictures.forEach((one) => near.observe(one.canvas));
    }

    load() {
      this.loading ??= (async () => {
        const [first, ...others] = this.layers;
        for (const one of [first, ...this.outlines, ...others]) {
          const source = this.sources[[...this.layers, ...this.outlines].indexOf(one)];
          one.values = await unpack(source.textContent, this.space.shape);
          source.remove();
          this.show(this.place);
        }
        this.root.dataset.ready = "yes";
      })().catch((error) => { this.output.textContent = `The images could not be unpacked: ${error.message}`; });
    }

    // Change the scale or the colours of a layer, and those of every PET with one of them.
    rescale(layer, act) {
      this.layers.filter((one) => one === layer || (one.pet && layer.pet)).forEach(act);
      this.panels.forEach((panel, k) => panel.show(k ? null : this.over));
      this.redraw();
    }

    turn(radiological) {
      this.radiological = radiological;
      [this.side.textContent, this.turner.textContent] = SIDES[radiological];
      this.root.dataset.convention = radiological ? "radiological" : "neurological";
      this.show(this.place);
    }

    set(axis, n) { this.show(this.place.map((old, a) => a === axis ? n : old)); }

    show(place) {
      this.place = this.space.within(place);
      const at = this.space.at(this.place), mm = this.place.map((n, axis) => Math.round(10 * this.space.mm(n, axis)) / 10 + 0);
      this.sliders.forEach((one, axis) => {
        one.value = this.place[axis];
        one.setAttribute("aria-valuetext", `${mm[axis]} mm`);
      });
      this.panels.forEach((panel, k) => panel.read(at, k ? null : this.over));
      const values = this.layers.map((layer) => `${layer.title} ${layer.reading(at)}`).join("; ");
      const outside = this.layers[0].values && !this.layers[0].values[at];
      this.output.textContent = `At ${mm.join(" ")} mm: ${outside ? "outside the brain" : values}.`;
      this.redraw();
    }

    redraw() {  // once before the next frame, however much has changed
      this.frame ??= requestAnimationFrame(() => {
        this.frame = null;
        const { place, radiological, crossed, opacity } = this;
        this.pictures.filter((one) => one.seen).forEach((one) => {
          const over = one.layer === this.layers[0] ? this.over : null;
          one.draw({ place, radiological, crossed, opacity, over, outlines: this.paths(one.plane) });
        });
      });
    }

    // Outlines of a plane: the same for every layer, so computed once for each slice.
    paths(plane) {
      const index = this.place[plane.through];
      return this.outlines.filter((one) => one.drawn && one.values).map((one) => {
        const known = one.paths[plane.name];
        const path = known?.index === index ? known.path : outlineOf(one.values, this.space, plane, index);
        one.paths[plane.name] = { index, path };
        return [one.colour, path];
      });
    }
  }

  document.querySelectorAll(".viewer").forEach((root) => {
    if (!("DecompressionStream" in window)) {
      root.querySelector(".waiting").textContent = "This browser is too old for the viewer; the other pictures do not need it.";
      return;
    }
    new Viewer(root, JSON.parse(root.dataset.content)).start();
  });
})();
