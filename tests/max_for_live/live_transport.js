'use strict';

// Beats of the launch grids below one bar, in the order of Live's menus. Live's beats are quarter
// notes whatever the meter.
const GRIDS_BEATS = [2, 4 / 3, 1, 2 / 3, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8];
const GRIDS_BARS = [8, 4, 2, 1];

// Live notifies observers of current_song_time about this often; the exact rate is not documented.
const TICK_MS = 50;

// A clip fired exactly on the grid starts at once; rounding must not delay it by a bar.
const ON_GRID_BEATS = 1e-9;

/** Live's clock: tempo, meter, play and stop, and launches on the grid. */
class Transport {
  /**
   * @param {{now: () => number, setTimeout: Function, clearTimeout: Function}} clock in ms
   * @param {{tempo: number, numerator: number, denominator: number}} settings tempo in bpm
   * @param {() => void} onTick called while the song plays, for observers of its time
   */
  constructor(clock, { tempo, numerator, denominator }, onTick) {
    Object.assign(this, { clock, tempo, numerator, denominator, onTick });
    this.playing = false;
    this.anchor = { ms: clock.now(), beats: 0 };
    this.launches = [];
    this.timer = null;
    this.ticker = null;
  }

  /** @returns {number} the song's time in beats */
  get beats() {
    if (!this.playing) return this.anchor.beats;
    const elapsedMs = this.clock.now() - this.anchor.ms;
    return this.anchor.beats + (elapsedMs * this.tempo) / 60000;
  }

  get beatsPerBar() {
    return (this.numerator * 4) / this.denominator;
  }

  start() {
    if (this.playing) return;
    this.seek(this.anchor.beats);
    this.playing = true;
    this.tick();
  }

  stop() {
    this.seek(this.beats);
    this.playing = false;
    this.launches.splice(0).forEach((launch) => launch.cancel());
    this.clock.clearTimeout(this.timer);
    this.clock.clearTimeout(this.ticker);
  }

  seek(beats) {
    this.anchor = { ms: this.clock.now(), beats };
    this.arm();
  }

  setTempo(bpm) {
    this.seek(this.beats);
    this.tempo = bpm;
    this.arm();
  }

  setMeter(numerator, denominator) {
    Object.assign(this, { numerator, denominator });
  }

  /**
   * @param {number} quantization as `Song.clip_trigger_quantization` counts: 0 none, 1 eight bars
   *   ... 4 one bar ... 13 a thirty-second
   * @returns {number} beats between two points of this grid; 0 for none
   */
  gridBeats(quantization) {
    if (quantization === 0) return 0;
    const bars = GRIDS_BARS[quantization - 1];
    return bars ? bars * this.beatsPerBar : GRIDS_BEATS[quantization - 1 - GRIDS_BARS.length];
  }

  /**
   * Runs a launch at the next point of a grid; at once without a grid.
   * @param {number} quantization as for gridBeats
   * @param {{run: () => void, cancel: () => void}} launch cancel: called if the song stops before
   */
  atNext(quantization, launch) {
    const grid = this.gridBeats(quantization);
    const now = this.beats;
    const due = grid ? Math.ceil((now - ON_GRID_BEATS) / grid) * grid : now;
    if (due <= now + ON_GRID_BEATS) {
      launch.run();
      return;
    }
    this.launches.push({ ...launch, due });
    this.arm();
  }

  arm() {
    this.clock.clearTimeout(this.timer);
    if (!this.playing || !this.launches.length) return;
    const first = Math.min(...this.launches.map((launch) => launch.due));
    const waitMs = Math.max(0, ((first - this.beats) * 60000) / this.tempo);
    this.timer = this.clock.setTimeout(() => this.runDue(), Math.ceil(waitMs));
  }

  runDue() {
    const now = this.beats + ON_GRID_BEATS;
    const due = this.launches.filter((launch) => launch.due <= now);
    this.launches = this.launches.filter((launch) => launch.due > now);
    due.forEach((launch) => launch.run());
    this.arm();
  }

  tick() {
    this.ticker = this.clock.setTimeout(() => {
      if (!this.playing) return;
      this.tick();
      this.onTick();
    }, TICK_MS);
    // A song left playing must not keep a test's process alive.
    if (this.ticker && this.ticker.unref) this.ticker.unref();
  }
}

module.exports = { Transport };
