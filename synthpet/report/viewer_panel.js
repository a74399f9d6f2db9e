"use strict";
// Beside each row of the viewer: what it shows, its value under the crosshair, its scale and what moves the scale.
const viewerPanel = (() => {
  const make = (tag, options = {}, ...inside) => {
    const element = Object.assign(document.createElement(tag), options);
    element.append(...inside);
    return element;
  };
  const slider = (least, most, step, moved) => {
    const found = make("input", { type: "range", min: least, max: most, step });
    found.addEventListener("input", () => moved(+found.value));
    return found;
  };
  const button = (text, pressed) => {
    const found = make("button", { type: "button", textContent: text });
    found.addEventListener("click", pressed);
    return found;
  };
  const chosen = (options, moved) => {
    const found = make("select", {}, ...options.map(([value, text]) => make("option", { value, textContent: text })));
    found.addEventListener("change", () => moved(found.value));
    return found;
  };
  const switched = (text, on, moved) => {
    const found = make("input", { type: "checkbox", checked: on });
    found.addEventListener("change", () => moved(found.checked));
    return make("label", {}, found, ` ${text}`);
  };

  class Scale {  // colours from the lower end to the upper one
    constructor() {
      this.bar = make("canvas", { width: 1, height: 256, className: "bar" });
      [this.low, this.high] = [make("b"), make("b")];
      this.root = make("div", { className: "scale" }, this.bar, this.high, this.low);
    }
    show(layer) {
      const pen = this.bar.getContext("2d"), shown = pen.createImageData(1, 256), table = layer.table();
      for (let k = 0; k < 256; k++) shown.data.set([...table.slice(3 * k, 3 * k + 3), 255], 4 * (255 - k));
      pen.putImageData(shown, 0, 0);
      [this.low.textContent, this.high.textContent] = [layer.words(layer.low), layer.words(layer.high)];
    }
  }

  class Panel {
    // changed(act): act on this layer and on those that share its scale, then show all again
    constructor(layer, changed) {
      Object.assign(this, { layer, changed });
      this.value = make("span", { className: "value" });
      this.above = make("span", { className: "above", hidden: true });
      [this.scale, this.over] = [new Scale(), new Scale()];
      this.over.root.hidden = true;
      const [least, most] = layer.range, roomy = Math.max(most, least + 1.5 * (layer.shown[1] - least));  // darker, too
      this.sliders = [this.end("upper end", layer.signed ? layer.step : least, roomy, (one, x) => one.stretch(one.low, x))];
      if (!layer.signed) this.sliders.push(this.end("lower end", least, most, (one, x) => one.raise(x)));
      this.root = make("div", { className: "panel" }, make("strong", { textContent: layer.title }), this.value,
        this.above, make("div", { className: "scales" }, this.scale.root, this.over.root), ...this.sliders);
      if (layer.choices.length > 1) {
        const options = layer.choices.map((name) => [name, layer.palettes[name].words]);
        this.palette = chosen(options, (name) => changed((one) => one.paint(name)));
        this.palette.setAttribute("aria-label", "colours of the PET");
        this.root.append(this.palette);
      }
      this.root.append(button("reset scale", () => changed((one) => one.reset())));
    }

    end(name, least, most, moved) {
      const found = slider(least, most, this.layer.step, (x) => this.changed((one) => moved(one, x)));
      found.setAttribute("aria-label", `${this.layer.title}, ${name} of the scale`);
      return make("label", {}, name, found);
    }

    // over: the layer that lies over this one, or null
    show(over) {
      const { layer } = this, ends = [layer.high, layer.low];
      this.scale.show(layer);
      this.sliders.forEach((label, k) => {
        label.lastChild.value = ends[k];
        label.lastChild.setAttribute("aria-valuetext", `${layer.words(ends[k])} ${layer.unit}`);
      });
      if (this.palette) this.palette.value = layer.palette;
      this.over.root.hidden = !over;
      this.above.hidden = !over;
      if (over) this.over.show(over);
    }

    // The values at a place, of this layer and of the one over it.
    read(place, over) {
      this.value.textContent = this.layer.reading(place);
      if (over) this.above.textContent = `with ${over.title} ${over.reading(place)}`;
    }
  }

  return { Panel, make, slider, button, chosen, switched };
})();
