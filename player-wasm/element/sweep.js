// Takes out what panics would say, since the panic handler throws it away: their functions become traps, and texts, tables and places in
// sources that nobody reads any more become zeros, which the next tool leaves out.

/** Kinds of relocations that name a function, and those that name data. */
const FUNCTIONS = new Set([0, 1, 2, 8]);
const DATA = new Set([3, 4, 5]);
const WITH_ADDEND = new Set([3, 4, 5, 8, 9]);
const HEAD_BYTES = 8;
const CODE_SECTION = 10;
const DATA_SECTION = 11;
const [NO_LOCALS, UNREACHABLE, NOP, END] = [0x00, 0x00, 0x01, 0x0b];
/** Of a `core::panic::Location`. */
const PLACE_BYTES = 16;

/** Does so with a module that is linked with --emit-relocs; `trapped` says by its name whether a function only says why. */
export function sweep(bytes, trapped) {
  const module = read(bytes);
  const trap = (index) => trapped(module.names.get(index) ?? "");
  // Which functions and pieces of data are reached, from what the module exports and what its table holds.
  const [functions, pieces] = [new Set(), new Set()];
  const open = [];
  const reach = (set, index, from) => {
    if (set.has(index)) return;
    set.add(index);
    open.push(from);
  };
  const function_ = (index) => !trap(index) && reach(functions, index, { function: index });
  const follow = ({ kind, symbol }) => {
    const { index, piece } = module.symbols[symbol] ?? {};
    if (FUNCTIONS.has(kind) && index !== undefined) function_(index);
    if (DATA.has(kind) && piece !== undefined) reach(pieces, piece, { piece });
  };
  // A table holds functions that code takes the address of; those are named where that is done.
  for (const index of module.exported) function_(index);
  while (open.length > 0) {
    const { function: index, piece } = open.pop();
    for (const relocation of (index !== undefined ? module.ofFunction.get(index) : module.ofPiece.get(piece)) ?? []) follow(relocation);
  }
  const all = module.symbols.filter(({ piece }) => piece !== undefined);
  for (const { start, end } of module.bodies.filter(({ index }) => trap(index))) {
    bytes.fill(NOP, start, end).set([NO_LOCALS, UNREACHABLE], start);
    bytes[end - 1] = END;
  }
  // Where in its source a function panics stands in 16 bytes, and is told to those alone: a text that ends in `.rs`, its length, line, column.
  const isPath = ({ start, end }) => bytes.subarray(start, end).toString().replace(/\0$/, "").endsWith(".rs");
  const paths = new Set(all.filter(isPath).map(({ piece }) => piece));
  const isPlace = ({ piece, start, end }) => end - start === PLACE_BYTES && (module.ofPiece.get(piece) ?? []).some(({ symbol }) => paths.has(module.symbols[symbol]?.piece));
  for (const one of all) if (isPlace(one) || paths.has(one.piece)) pieces.delete(one.piece);
  // Texts may share bytes: what anything keeps is kept.
  const kept = new Uint8Array(bytes.length);
  for (const { piece, start, end } of all) if (pieces.has(piece)) kept.fill(1, start, end);
  for (const { start, end } of all) for (let at = start; at < end; at++) if (!kept[at]) bytes[at] = 0;
  const links = ({ name }) => name === "linking" || name.startsWith("reloc.");
  return Buffer.concat([bytes.subarray(0, HEAD_BYTES), ...module.sections.filter((one) => !links(one)).map(({ from, end }) => bytes.subarray(from, end))]);
}

function read(bytes) {
  let at = 0;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (shift < 32) value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  };
  const text = () => {
    const length = number();
    return bytes.subarray(at, (at += length)).toString();
  };
  const sections = [];
  for (at = HEAD_BYTES; at < bytes.length; ) {
    const from = at;
    const id = bytes[at++];
    const length = number();
    const start = at;
    const name = id === 0 ? text() : "";
    sections.push({ id, name, from, body: at, end: (at = start + length) });
  }
  const own = (name) => sections.find((section) => section.name === name);
  const list = (id, each) => {
    const section = sections.find((one) => one.id === id);
    if (!section) return;
    at = section.body;
    for (let count = number(); count > 0; count--) each();
  };
  let imported = 0;
  list(2, () => {
    text();
    text();
    if (bytes[at++] !== 0) throw new Error("the module imports more than functions");
    number();
    imported++;
  });
  const exported = [];
  list(7, () => {
    text();
    const kind = bytes[at++];
    const index = number();
    if (kind === 0) exported.push(index);
  });
  // Where each function's body is, from the start of its section, as relocations count.
  const bodies = [];
  list(CODE_SECTION, () => {
    const length = number();
    bodies.push({ index: imported + bodies.length, start: at, end: (at += length) });
  });
  const segments = [];
  list(DATA_SECTION, () => {
    if (number() !== 0 || bytes[at++] !== 0x41) throw new Error("data is placed in a way that is not known here");
    number();
    at++;
    const length = number();
    segments.push({ start: at, end: (at += length) });
  });
  const names = new Map();
  const name = own("name");
  for (at = name?.body ?? 0; name && at < name.end; ) {
    const kind = bytes[at++];
    const end = number() + at;
    if (kind === 1) for (let count = number(); count > 0; count--) names.set(number(), text());
    at = end;
  }
  const symbols = symbolsOf();
  const pieces = symbols.filter(({ piece }) => piece !== undefined).sort((a, b) => a.start - b.start);
  const ofFunction = relocations("reloc.CODE", CODE_SECTION, (place) => bodies.filter(({ start, end }) => start <= place && place < end).map(({ index }) => index));
  const ofPiece = relocations("reloc.DATA", DATA_SECTION, (place) => pieces.filter(({ start, end }) => start <= place && place < end).map(({ piece }) => piece));
  return { sections, names, exported, bodies, symbols, ofFunction, ofPiece };

  function symbolsOf() {
    const linking = own("linking");
    if (!linking) throw new Error("the module does not say who refers to what: link it with --emit-relocs");
    at = linking.body;
    number(); // version
    const found = [];
    while (at < linking.end) {
      const kind = bytes[at++];
      const end = number() + at;
      if (kind === 8) {
        for (let count = number(); count > 0; count--) {
          const type = bytes[at++];
          const flags = number();
          const [isUndefined, isNamed] = [(flags & 0x10) !== 0, (flags & 0x40) !== 0];
          if (type === 1) {
            text();
            if (isUndefined) found.push({});
            else {
              const [segment, offset, size] = [number(), number(), number()];
              const start = segments[segment].start + offset;
              found.push({ piece: found.length, start, end: start + size });
            }
          } else if (type === 3) {
            number();
            found.push({});
          } else {
            const index = number();
            if (!isUndefined || isNamed) text();
            found.push(type === 0 ? { index } : {});
          }
        }
      }
      at = end;
    }
    return found;
  }

  function relocations(section, target, holders) {
    const of = new Map();
    const table = own(section);
    if (!table) return of;
    const base = sections.find(({ id }) => id === target).body;
    at = table.body;
    number(); // which section
    for (let count = number(); count > 0; count--) {
      const kind = bytes[at++];
      const place = base + number();
      const symbol = number();
      if (WITH_ADDEND.has(kind)) number();
      for (const holder of holders(place)) of.set(holder, [...(of.get(holder) ?? []), { kind, symbol }]);
    }
    return of;
  }
}
