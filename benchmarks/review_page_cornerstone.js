// The drag of review_page.py in Cornerstone3D's CPU renderer: one film of made-up values, the window set at each frame.
import { init, setUseCPURendering, RenderingEngine, Enums, imageLoader, metaData } from "@cornerstonejs/core";

window.begin = async (rows, columns) => {
  const pixels = Uint16Array.from({ length: rows * columns }, (_, i) => (i * 7919) % 4096);
  setUseCPURendering(true);
  await init();
  imageLoader.registerImageLoader("raw", (imageId) => ({ promise: Promise.resolve(image(imageId, pixels, rows, columns)) }));
  metaData.addProvider((type) => facts(rows, columns)[type]);
  const engine = new RenderingEngine("engine"), element = document.getElementById("place");
  engine.enableElement({ viewportId: "film", element, type: Enums.ViewportType.STACK });
  const viewport = engine.getViewport("film");
  const rendered = () => new Promise((done) => element.addEventListener(Enums.Events.IMAGE_RENDERED, done, { once: true }));
  const began = performance.now(), first = rendered();
  await viewport.setStack(["raw:1"]);
  viewport.render();
  await first;
  const firstMs = performance.now() - began;
  window.drag = async (steps) => {
    const start = performance.now();
    for (let i = 1; i <= steps; i++) {
      const center = 2048 + 4 * i, half = 2048 - 4 * i, done = rendered();
      viewport.setProperties({ voiRange: { lower: center - half, upper: center + half } });
      viewport.render();
      await done;
      await new Promise(requestAnimationFrame);
    }
    return (1000 * steps) / (performance.now() - start);
  };
  return firstMs;
};

function image(imageId, pixels, rows, columns) {
  return {
    imageId, rows, columns, height: rows, width: columns, minPixelValue: 0, maxPixelValue: 4095, slope: 1, intercept: 0,
    windowCenter: 2048, windowWidth: 4096, voiLUTFunction: "LINEAR", getPixelData: () => pixels, color: false, rgba: false,
    numberOfComponents: 1, columnPixelSpacing: 1, rowPixelSpacing: 1, invert: false, sizeInBytes: pixels.byteLength,
    dataType: "Uint16Array", photometricInterpretation: "MONOCHROME2", preScale: {},
    imageFrame: { photometricInterpretation: "MONOCHROME2", pixelData: pixels },
    voxelManager: {
      getScalarData: () => pixels, getAtIndex: (i) => pixels[i], getConstructor: () => Uint16Array, bytePerVoxel: 2,
      getScalarDataLength: () => pixels.length,
    },
  };
}

const facts = (rows, columns) => ({
  imagePixelModule: {
    pixelRepresentation: 0, bitsAllocated: 16, bitsStored: 12, highBit: 11, photometricInterpretation: "MONOCHROME2", samplesPerPixel: 1,
  },
  generalSeriesModule: { modality: "DX", seriesInstanceUID: "1" },
  imagePlaneModule: {
    rows, columns, rowPixelSpacing: 1, columnPixelSpacing: 1, pixelSpacing: [1, 1], rowCosines: [1, 0, 0], columnCosines: [0, 1, 0],
    imagePositionPatient: [0, 0, 0], imageOrientationPatient: [1, 0, 0, 0, 1, 0], frameOfReferenceUID: "1",
  },
  voiLutModule: { windowCenter: [2048], windowWidth: [4096] },
  modalityLutModule: { rescaleSlope: 1, rescaleIntercept: 0 },
});
