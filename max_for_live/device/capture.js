// Capture: records this track into the buffer, for as many bars as the melody has.

var MONITOR_IN = 0;
var MONITOR_AUTO = 1;
// A peak of -34 dBFS: above the noise of a room, below a hum.
var ONSET_PEAK = 0.02;
// How much later than the sound its peak arrives: one interval of peakamp~, and the message's way.
var ONSET_LATE_SECONDS = 0.06;
var WAIT_FOR_NOTE_MS = 10000;
// Recording time after the last bar line, and the buffer's room beyond that.
var TAIL_MS = 200;
var SPARE_MS = 2000;
// Longer than Max takes to write the longest recording.
var WRITE_MS = 15000;

// The recording of this track: see `begin_take`.
var take = null;
// While the buffer is being written to a file: what to do after that, and the task that gives up.
var writing = null;

// Records this track into the buffer from now on; the daemon cuts out the whole bars. So the
// recording may start at any time: its position in the song is enough.
function capture_track() {
    if (take) {
        stop_take();
        return;
    }
    if (!is_connected() || !can_record()) return;
    var reason = missing_input_reason();
    if (reason) {
        show_status(reason);
        return;
    }
    begin_take();
}

function can_record() {
    if (check_run) show_status("Check is running: wait until it is done.");
    else if (writing) show_status("A recording is still being written: wait for it.");
    else if (!link.takes) show_status("The daemon names no folder for takes: update melody-bridge.");
    else return true;
    return false;
}

// Why this track has no sound to capture; empty: it has some.
function missing_input_reason() {
    var track = own_track();
    if (!exists(track) || !number(track, "can_be_armed")) return "";
    if (number(track, "playing_slot_index") >= 0) return "";
    var monitoring = number(track, "current_monitoring_state");
    if (monitoring === MONITOR_IN) return "";
    if (monitoring === MONITOR_AUTO && number(track, "arm")) return "";
    return "No input comes through this track: arm it, or set its Monitor to In.";
}

function begin_take() {
    var position = song_position();
    var since_bar_line = position.beat_in_bar;
    if (since_bar_line === null) since_bar_line = position.beat % position.beats_per_bar;
    var id = next_id();
    take = {
        id: id,
        path: link.takes + "/" + id + ".wav",
        bars: controls.bars,
        tempo_bpm: number(song, "tempo"),
        numerator: position.numerator,
        denominator: position.denominator,
        bar_seconds: position.beats_per_bar * 60 / number(song, "tempo"),
        playing: number(song, "is_playing") === 1,
        next_bar_line_beat: position.beat - since_bar_line + position.beats_per_bar,
        start_beat: position.beat,
        started_ms: now_ms(),
        // Where the melody begins in the recording; null until the first note.
        first_seconds: null,
        end_task: null,
        is_written: false
    };
    var longest_ms = (take.bars + 1) * take.bar_seconds * 1000 + WAIT_FOR_NOTE_MS + SPARE_MS;
    outlet(SOUND, "buffer", "setsize", longest_ms, BUFFER_CHANNELS);
    outlet(SOUND, "buffer", "format", "float32");
    start_recording();
    if (take.playing) {
        take.first_seconds = seconds_to_bar_line();
        schedule_end_of_take(take.bars);
    } else {
        outlet(SOUND, "listen", 1);
    }
    show_button("capture", "Stop");
    show_melody();
}

function start_recording() {
    take.started_ms = now_ms();
    outlet(SOUND, "sync", "bang");
    outlet(SOUND, "record", 1);
}

// The song's beat from the audio engine, requested when the recording begins. It is finer than
// Live's own figure, and ignored where the two disagree: some versions always report 0.
function song_beats(beats) {
    if (!take || take.is_written || !take.playing || beats === 0) return;
    if (Math.abs(beats - take.start_beat) >= 0.5) return;
    take.start_beat = beats;
    take.first_seconds = seconds_to_bar_line();
}

function seconds_to_bar_line() {
    return Math.max(0, take.next_bar_line_beat - take.start_beat) * 60 / take.tempo_bpm;
}

// The level of the track, while the device waits for the first note.
function peak(level) {
    if (!take || take.first_seconds !== null) return;
    var since_ms = now_ms() - take.started_ms;
    if (level >= ONSET_PEAK) {
        take.first_seconds = Math.max(0, since_ms / 1000 - ONSET_LATE_SECONDS);
        outlet(SOUND, "listen", 0);
        schedule_end_of_take(take.bars);
        show_melody();
    } else if (since_ms > WAIT_FOR_NOTE_MS) {
        // The buffer is only as long as this wait: starts again before it is full.
        outlet(SOUND, "record", 0);
        start_recording();
    }
}

function schedule_end_of_take(bars) {
    cancel_task(take.end_task);
    take.bars = bars;
    var at_ms = (take.first_seconds + bars * take.bar_seconds) * 1000 + TAIL_MS;
    take.end_task = later(write_take, Math.max(0, take.started_ms + at_ms - now_ms()));
}

// Ends the take at the bar line that is nearest to the press.
function stop_take() {
    if (take.is_written) return;
    var elapsed = (now_ms() - take.started_ms) / 1000 - (take.first_seconds || 0);
    var bars = Math.min(take.bars, Math.round(elapsed / take.bar_seconds));
    if (take.first_seconds === null || bars < 1) {
        discard_take("Capture was stopped before its first bar was over.");
    } else {
        schedule_end_of_take(bars);
    }
}

function discard_take(reason) {
    cancel_task(take.end_task);
    outlet(SOUND, "record", 0);
    outlet(SOUND, "listen", 0);
    take = null;
    show_button("capture", CAPTURE_LABEL);
    show_melody();
    if (reason) show_status(reason);
}

function write_take() {
    if (!take || take.is_written) return;
    take.is_written = true;
    outlet(SOUND, "record", 0);
    write_buffer(take.path, melody_from_take, discard_take);
}

// Writes the buffer to a file. Max reports when the file is complete, but reports nothing when it
// cannot write the file.
function write_buffer(path, done, failed) {
    writing = { done: done, task: later(function () {
        writing = null;
        failed("Max could not write " + path + ": is the disk full?");
    }, WRITE_MS) };
    outlet(SOUND, "buffer", "writewave", path);
}

// The buffer's file is complete.
function written() {
    if (!writing) return;
    var done = writing.done;
    cancel_task(writing.task);
    writing = null;
    done();
}

// The file is complete, so the daemon may read it.
function melody_from_take() {
    var done = take;
    discard_take("");
    set_melody([[
        "/bridge/capture/file", done.id, done.path, "start_seconds", done.first_seconds,
        "length_seconds", done.bars * done.bar_seconds, "tempo_bpm", done.tempo_bpm,
        "numerator", done.numerator, "denominator", done.denominator
    ]], count_of(done.bars, "bar") + " of this track", done.bars);
    melody.is_take = true;
}
