export { walkBaseline } from './baseline';
export { DATA, DEFINITION, LAYOUT, pairAt, tableAt } from './memory';
export { bytesLeft, isFilled, isPadding, marker, openData } from './pieces';
export { mcusWhole } from './progress';
export { openComponent, refineAc, refineDc, walkAc, walkDc } from './progressive';
export { chainTable, defineTable, pairTables } from './tables';
