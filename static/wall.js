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
const sight = new IntersectionObserver(onSight, { root: $('scroller') });

/** As many tiles, in this order; those that there were go on. */
export function setCameras(names) {
  if (names.join() === wall.tiles.map((tile) => tile.name).join()) return;
  const before = wall.tiles;
  wall.tiles = names.map((name) => named(name) || new Tile(name));
  before.filter((tile) => !wall.tiles.includes(tile)).forEach((tile) => {
    sight.unobserve(tile.item);
    tile.item.remove();
  });
  wall.tiles.forEach((tile, at) => {
    tile.number(at);
    tile.item.hidden = Boolean(wall.large) && tile !== wall.large;
    if ($('wall').children[at] !== tile.item) $('wall').insertBefore(tile.item, $('wall').children[at] || null);
    if (!before.includes(tile)) sight.observe(tile.item);
  });
  place();
}

/** Gives the wall to one tile; null: to all. */
export function enlarge(tile) {
  wall.large = tile;
  wall.tiles.forEach((one) => { one.item.hidden = Boolean(tile) && one !== tile; });
  $('wall').classList.toggle('large', Boolean(tile));
  place();
}

function onSight(entries) {
  entries.forEach(({ target, isIntersecting }) => {
    const tile = wall.tiles.find(({ item }) => item === target);
    if (!tile) return;
    tile.isInSight = isIntersecting;
    if (!isIntersecting) tile.close();
  });
  wall.onSight(wall.tiles.filter((tile) => tile.isInSight).map((tile) => tile.name));
}

/** The number of columns with which tiles of this shape are largest, and their width in px; 0: the wall has to scroll. */
export function fit(count, aspect, width, height) {
  let best = { columns: 1, tileWidth: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const tileWidth = Math.floor(Math.min((width - (columns - 1) * GAP) / columns, aspect * (height - (rows - 1) * GAP) / rows));
    if (tileWidth > best.tileWidth) best = { columns, tileWidth };
  }
  const most = width < PHONE_WIDTH ? MOST_COLUMNS_OF_A_PHONE : Math.max(1, Math.floor((width + GAP) / (LEAST_WIDTH + GAP)));
  return best.tileWidth >= LEAST_WIDTH && best.columns <= most ? best : { columns: Math.min(count, most), tileWidth: 0 };
}

/** Tiles are all of one shape: that of the picture in the middle of all, from high to wide. */
const middleAspect = (tiles) => tiles.map((tile) => tile.aspect).sort((a, b) => a - b)[tiles.length >> 1];

export function place() {
  const tiles = wall.large ? [wall.large] : wall.tiles;
  const scroller = $('scroller');
  if (!tiles.length || !scroller.offsetWidth) return;
  const aspect = middleAspect(tiles);
  const { columns, tileWidth: fitted } = fit(tiles.length, aspect, scroller.offsetWidth, scroller.clientHeight);
  scroller.classList.toggle('scrolls', !fitted);
  const tileWidth = fitted || Math.floor((scroller.clientWidth - (columns - 1) * GAP) / columns);
  const style = { '--columns': columns, '--width': tileWidth + 'px', '--height': Math.floor(tileWidth / aspect) + 'px' };
  Object.keys(style).forEach((name) => $('wall').style.setProperty(name, style[name]));
  $('wall').classList.toggle('small', tileWidth < SMALL_WIDTH);
  wall.columns = columns;
}

if (window.ResizeObserver) new ResizeObserver(place).observe($('scroller'));
else window.addEventListener('resize', place);
link.onPart = (part, transit) => {
  const tile = named(part.camera);
  return Boolean(tile) && tile.take(part, transit);
};
link.onClose = () => wall.tiles.forEach((tile) => tile.restart());
painter.onImage = (camera, image, part) => {
  const tile = named(camera);
  if (tile) tile.paint(image, part);
};
