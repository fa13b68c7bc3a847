// A frame of the server: numbers as JSON, then the levels of each picture, a byte a point.

const LARGE = 50; // points along the side, from which on a picture is for the output

/** The frame in a message, with its pictures as `small` and `large`. */
export function decoded(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const frame = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  const pictures = frame.maps.map(([layer, neuron, size]) => {
    const levels = new Uint8Array(buffer, at, size * size);
    at += size * size;
    return { layer, neuron, size, levels };
  });
  frame.small = pictures.filter(({ size }) => size < LARGE);
  frame.large = pictures.filter(({ size }) => size >= LARGE);
  return frame;
}
