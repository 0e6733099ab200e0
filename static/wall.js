// The wall: a tile for each camera, as large as the window allows, and which of them are in sight. One camera may have
// the wall for itself; the others are out of sight then.

import { $ } from './page.js';
import { link, painter } from './streams.js';
import { Tile } from './tile.js';

const GAP = 4;                       // px between tiles, as in the style
const LEAST_WIDTH = 180;             // of a tile, px: for more of them than fit, the wall scrolls
const MOST_COLUMNS_OF_A_PHONE = 2;
const PHONE_WIDTH = 540;             // below this
const SMALL_WIDTH = 300;             // of a tile that has room for few words

export const wall = {
  tiles: [],
  large: null,                       // the tile that has the wall
  onSight: () => {},                 // other tiles are in sight
};

const named = (name) => wall.tiles.find((tile) => tile.name === name);
const sight = window.IntersectionObserver ? new IntersectionObserver(onSight, { root: $('scroller') }) : null;

/** As many tiles, in this order; those that there were go on. */
export function setCameras(names) {
  if (names.join() === wall.tiles.map((tile) => tile.name).join()) return;
  const before = wall.tiles;
  wall.tiles = names.map((name) => named(name) || new Tile(name));
  before.filter((tile) => !wall.tiles.includes(tile)).forEach((tile) => {
    if (sight) sight.unobserve(tile.item);
    tile.item.remove();
  });
  if (!wall.tiles.includes(wall.large)) wall.large = null;
  wall.tiles.forEach((tile, at) => {
    tile.number(at);
    if ($('wall').children[at] !== tile.item) $('wall').insertBefore(tile.item, $('wall').children[at] || null);
    if (!before.includes(tile) && sight) sight.observe(tile.item);
  });
  place();
  if (!sight) see(new Map(wall.tiles.map((tile) => [tile, true])));
}

/** Gives the wall to one tile; null: to all. */
export function enlarge(tile) {
  wall.large = tile;
  wall.tiles.forEach((one) => { one.item.hidden = Boolean(tile) && one !== tile; });
  $('wall').classList.toggle('large', Boolean(tile));
  place();
  if (!sight) see(new Map(wall.tiles.map((one) => [one, !tile || one === tile])));
}

function onSight(entries) {
  see(new Map(entries.map(({ target, isIntersecting }) => [wall.tiles.find(({ item }) => item === target), isIntersecting])));
}

function see(changes) {
  changes.forEach((isInSight, tile) => {
    if (!tile || tile.isInSight === isInSight) return;
    tile.isInSight = isInSight;
    if (!isInSight) tile.close();
  });
  wall.onSight(wall.tiles.filter((tile) => tile.isInSight).map((tile) => tile.name));
}

/** The number of columns with which tiles of this shape are largest, and their width in px. */
export function fit(count, aspect, width, height) {
  let best = { columns: 1, tileWidth: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const tileWidth = Math.floor(Math.min((width - (columns - 1) * GAP) / columns, aspect * (height - (rows - 1) * GAP) / rows));
    if (tileWidth > best.tileWidth) best = { columns, tileWidth };
  }
  const most = width < PHONE_WIDTH ? MOST_COLUMNS_OF_A_PHONE : Math.max(1, Math.floor((width + GAP) / (LEAST_WIDTH + GAP)));
  if (best.tileWidth >= LEAST_WIDTH && best.columns <= most) return best;
  const columns = Math.min(count, most);
  return { columns, tileWidth: Math.floor((width - (columns - 1) * GAP) / columns) };
}

/** Tiles are all of one shape: that which most pictures have. */
function commonAspect(tiles) {
  const aspects = tiles.map((tile) => Number(tile.aspect.toFixed(2))).sort((a, b) => a - b);
  const count = (aspect) => aspects.filter((other) => other === aspect).length;
  return aspects.reduce((best, aspect) => (count(aspect) > count(best) ? aspect : best), aspects[0]);
}

export function place() {
  const tiles = wall.large ? [wall.large] : wall.tiles;
  const { clientWidth, clientHeight } = $('scroller');
  if (!tiles.length || !clientWidth) return;
  const aspect = commonAspect(tiles);
  const { columns, tileWidth } = fit(tiles.length, aspect, clientWidth, clientHeight);
  const style = { '--columns': columns, '--width': tileWidth + 'px', '--height': Math.floor(tileWidth / aspect) + 'px' };
  Object.keys(style).forEach((name) => { if ($('wall').style.getPropertyValue(name) !== String(style[name])) $('wall').style.setProperty(name, style[name]); });
  $('wall').classList.toggle('small', tileWidth < SMALL_WIDTH);
  wall.columns = columns;
}

if (window.ResizeObserver) new ResizeObserver(place).observe($('scroller'));
else window.addEventListener('resize', place);
link.onPart = (part, transit) => {
  const tile = named(part.camera);
  return Boolean(tile) && tile.take(part, transit);
};
link.onEnd = () => wall.tiles.forEach((tile) => tile.close());
painter.onImage = (camera, image, part) => {
  const tile = named(camera);
  if (tile) tile.paint(image, part);
};
