"use strict";
// Planes through the viewer's volumes: which voxel lies where in a picture, and how a picture is drawn.
const viewerPlanes = (() => {
  const PLANES = [["axial", 0, 1, 2], ["coronal", 0, 2, 1], ["sagittal", 1, 2, 0]]
    .map(([name, across, up, through]) => ({ name, across, up, through }));  // axes of the volume
  const SIDES = [["L", "R"], ["P", "A"], ["I", "S"]];
  const PIXELS = 3;  // of a picture for each mm

  class Space {  // voxels of all volumes, axis-aligned RAS+, the first axis running fastest
    constructor({ shape, first_mm, step_mm }) {
      Object.assign(this, { shape, first: first_mm, step: step_mm });
      this.stride = [1, shape[0], shape[0] * shape[1]];
    }
    mm(index, axis) { return this.first[axis] + index * this.step[axis]; }
    size(axis) { return this.shape[axis] * this.step[axis]; }
    within(place) { return place.map((n, a) => Math.min(this.shape[a] - 1, Math.max(0, n))); }
    nearest(mm) { return this.within(mm.map((x, a) => Math.round((x - this.first[a]) / this.step[a]))); }
    at(place) { return place.reduce((sum, n, a) => sum + n * this.stride[a], 0); }
  }

  // Edges between voxels inside and outside, in pixels of a picture.
  const outlineOf = (values, space, { across, up, through }, index) => {
    const [wide, high] = [space.shape[across], space.shape[up]], [dx, dy] = [across, up].map((a) => PIXELS * space.step[a]);
    const path = new Path2D(), start = index * space.stride[through];
    const inside = (c, r) => c >= 0 && r >= 0 && c < wide && r < high
      && values[start + c * space.stride[across] + r * space.stride[up]] > 0;
    for (let r = -1; r < high; r++)
      for (let c = -1; c < wide; c++) {
        const here = inside(c, r), [x, y] = [(c + 1) * dx, (high - r - 1) * dy];
        if (here !== inside(c + 1, r)) { path.moveTo(x, y); path.lineTo(x, y + dy); }
        if (here !== inside(c, r + 1)) { path.moveTo(x - dx, y); path.lineTo(x, y); }
      }
    return path;
  };

  class Picture {  // one plane of one layer
    constructor(space, layer, plane) {
      Object.assign(this, { space, layer, plane, seen: false });
      const { across, up } = plane, [wide, high] = [space.shape[across], space.shape[up]];
      this.canvas = document.createElement("canvas");
      this.canvas.width = Math.round(PIXELS * space.size(across));
      this.canvas.height = Math.round(PIXELS * space.size(up));
      this.small = Object.assign(document.createElement("canvas"), { width: wide, height: high });
      this.pen = this.small.getContext("2d");
      this.image = this.pen.createImageData(wide, high);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }

    mirrored(state) { return state.radiological && this.plane.across === 0; }

    // The voxel under the pointer, in the plane that is shown.
    under(event, state) {
      const { across, up } = this.plane, box = this.canvas.getBoundingClientRect(), place = [...state.place];
      const share = (event.clientX - box.left) / box.width;
      place[across] = Math.floor((this.mirrored(state) ? 1 - share : share) * this.space.shape[across]);
      place[up] = Math.floor((box.bottom - event.clientY) / box.height * this.space.shape[up]);
      return place;
    }

    // state: place, radiological, crossed, over (a layer on this one, or null), opacity, outlines ([colour, path])
    draw(state) {
      const { canvas } = this, big = canvas.getContext("2d");
      big.setTransform(1, 0, 0, 1, 0, 0);
      big.fillStyle = "#000000";
      big.fillRect(0, 0, canvas.width, canvas.height);
      if (this.mirrored(state)) big.setTransform(-1, 0, 0, 1, canvas.width, 0);
      this.put(big, this.layer, this.layer.opaque(), state.place, 1);
      if (state.over) this.put(big, state.over, state.over.over(), state.place, state.opacity);
      big.lineWidth = 3;
      state.outlines.forEach(([colour, path]) => { big.strokeStyle = colour; big.stroke(path); });
      if (state.crossed) this.cross(big, state.place);
      big.setTransform(1, 0, 0, 1, 0, 0);
      this.marks(big, this.mirrored(state));
    }

    put(big, layer, table, place, opacity) {
      if (!layer.values) return;
      const { shape, stride } = this.space, { across, up, through } = this.plane;
      const [wide, high] = [shape[across], shape[up]], start = place[through] * stride[through];
      for (let r = 0; r < high; r++) {
        let from = start + r * stride[up], to = (high - 1 - r) * wide;
        for (let c = 0; c < wide; c++, from += stride[across]) this.pixels[to++] = table[layer.values[from]];
      }
      this.pen.putImageData(this.image, 0, 0);
      big.imageSmoothingEnabled = false;
      big.globalAlpha = opacity;
      big.drawImage(this.small, 0, 0, this.canvas.width, this.canvas.height);
      big.globalAlpha = 1;
    }

    cross(big, place) {
      const { across, up } = this.plane, { width, height } = this.canvas, gap = 20;  // the place itself stays free
      const x = (place[across] + 0.5) / this.space.shape[across] * width;
      const y = height - (place[up] + 0.5) / this.space.shape[up] * height;
      big.beginPath();
      for (const [a, b, c, d] of [[x, 0, x, y - gap], [x, y + gap, x, height], [0, y, x - gap, y], [x + gap, y, width, y]]) {
        big.moveTo(a, b);
        big.lineTo(c, d);
      }
      for (const [colour, wide] of [["rgb(0 0 0 / 50%)", 5], ["rgb(255 255 255 / 85%)", 2]]) {  // on white and on black
        Object.assign(big, { strokeStyle: colour, lineWidth: wide });
        big.stroke();
      }
    }

    marks(big, mirrored) {
      const sides = SIDES[this.plane.across], y = 30;
      Object.assign(big, { font: "bold 30px sans-serif", strokeStyle: "#000000", fillStyle: "#ffffff", lineWidth: 5 });
      (mirrored ? [...sides].reverse() : sides).forEach((side, k) => {
        big.textAlign = k ? "right" : "left";
        big.strokeText(side, k ? this.canvas.width - 8 : 8, y);
        big.fillText(side, k ? this.canvas.width - 8 : 8, y);
      });
    }
  }

  return { PLANES, Space, Picture, outlineOf };
})();
