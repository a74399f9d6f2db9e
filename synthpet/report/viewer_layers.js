"use strict";
// Images of the viewer: a byte for each voxel, what it means, and its colour on a scale that the reader can move.
// Bytes are read, not pictures, so that the values under the crosshair are those that were written, to 1 in 254. A byte
// of 0 lies outside the brain; 1 to 255 go from the lower to the upper end of the layer's range.
const viewerLayers = (() => {
  const bytes = (text) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const raw = atob(text), found = new Uint8Array(raw.length);
    for (let k = 0; k < raw.length; k++) found[k] = raw.charCodeAt(k);
    return found;
  };

  // Each slice was written as its difference from the one below it, modulo 256.
  const unpack = async (text, [wide, high]) => {
    const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
    const values = new Uint8Array(await new Response(stream).arrayBuffer());
    for (let k = wide * high; k < values.length; k++) values[k] += values[k - wide * high];
    return values;
  };

  const colour = (table, share, alpha) => {
    const k = 3 * Math.round(255 * Math.min(1, Math.max(0, share)));
    return (alpha << 24 | table[k + 2] << 16 | table[k + 1] << 8 | table[k]) >>> 0;
  };

  class Layer {
    constructor(about, palettes) {
      Object.assign(this, about);  // title, unit, shown, range, pet, choices
      this.palettes = palettes;
      this.values = null;  // until it is unpacked
      this.step = (this.range[1] - this.range[0]) / 254;
      this.digits = this.step > 0.01 ? 1 : 2;  // as many as 254 steps can tell
      this.signed = this.shown[0] < 0 && this.shown[0] === -this.shown[1];
      this.reset();
    }

    reset() {
      [this.low, this.high] = this.shown;
      this.paint(this.choices[0]);
    }

    // Ends of the scale; those of a difference stay the same distance from zero.
    stretch(low, high) {
      this.high = Math.max(high, this.signed ? this.step : low + this.step);
      this.low = this.signed ? -this.high : low;
      this.colours = this.faded = null;
    }

    raise(low) { this.stretch(Math.min(low, this.high - this.step), this.high); }

    paint(palette) {
      this.palette = palette;
      this.colours = this.faded = null;
    }

    value(byte) { return this.range[0] + (byte - 1) * this.step; }
    words(number) { return String(+number.toFixed(this.digits)); }
    reading(place) {
      if (!this.values) return "…";
      if (!this.values[place]) return "–";
      const number = this.value(this.values[place]).toFixed(this.digits).replace(/^-(0\.0*)$/, "$1");
      return this.unit ? `${number} ${this.unit}` : number;
    }

    table() { return this.palettes[this.palette].table ??= bytes(this.palettes[this.palette].colours); }

    // Byte to colour. Around the brain lies what the lowest value has, and black around a difference.
    opaque() {
      const around = this.signed ? 255 << 24 >>> 0 : colour(this.table(), 0, 255);
      return this.colours ??= this.each(around, (share) => colour(this.table(), share, 255));
    }

    // Byte to colour over another image: nothing where a value lies below the lower end; a difference is the clearer
    // the further it is from zero.
    over() {
      return this.faded ??= this.each(0, (share) => {
        const alpha = this.signed ? Math.min(255, Math.round(255 * Math.abs(2 * share - 1))) : share < 0 ? 0 : 255;
        return colour(this.table(), share, alpha);
      });
    }

    each(around, made) {
      const share = (byte) => (this.value(byte) - this.low) / (this.high - this.low);
      return Uint32Array.from({ length: 256 }, (_, byte) => byte ? made(share(byte)) : around);
    }
  }

  return { Layer, unpack };
})();
