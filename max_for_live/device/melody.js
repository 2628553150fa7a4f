// The melody that the next clip follows: the last bars, or the selected clip.

// Three numbers for each note: well under Max's and the daemon's limits for a message.
var NOTES_PER_MESSAGE = 60;

// The capture that the next clip follows: its id, its description for the display, its bars (0: not
// known), whether it is a recording of this track, whether it is done, and the messages that made it,
// if they can be sent again.
var melody = null;

function last_bars() {
    if (!is_connected()) return false;
    var bars = controls.bars;
    set_melody([["/bridge/capture/last", next_id(), bars]], "last " + count_of(bars, "bar"), bars);
    // Must not be sent again: the last bars would be different ones by then.
    melody.messages = [];
    return true;
}

function no_melody() {
    melody = null;
    show_melody();
}

// Sets the melody for the clips to come, and sends the messages that make it.
function set_melody(messages, description, bars) {
    melody = {
        id: messages[0][1], description: description, messages: messages, bars: bars,
        is_take: false, is_done: false
    };
    messages.forEach(send);
    show_melody();
}

function on_capture(id, state, seconds) {
    if (!melody || id !== melody.id) return;
    if (wanted_notes) wanted_notes.asked_ms = now_ms();
    if (state === "done") show_melody();
    else show_text("melody", melody.description + ": " + state + " " + seconds.toFixed(1) + " s");
}

function from_clip() {
    if (!is_connected()) return;
    var clip = new LiveAPI("live_set view detail_clip");
    if (!exists(clip)) {
        show_status("No clip is selected: click the clip with the melody, then press From clip.");
    } else if (number(clip, "is_midi_clip")) {
        melody_from_notes(clip);
    } else {
        melody_from_audio(clip);
    }
}

// The part of a clip that plays: its loop, or the part between its markers. In beats if the clip is
// warped, else in seconds.
function audible_range(clip) {
    var looping = number(clip, "looping");
    return {
        start: number(clip, looping ? "loop_start" : "start_marker"),
        end: number(clip, looping ? "loop_end" : "end_marker")
    };
}

function melody_from_audio(clip) {
    var path = posix_path(string(clip, "file_path"));
    var range = audible_range(clip);
    var seconds = range;
    var tempo_bpm = number(song, "tempo");
    if (number(clip, "warping")) {
        var markers = warp_markers(clip);
        if (markers.length < 2) {
            show_status("Live reports no warp markers for this clip: switch its Warp off and on.");
            return;
        }
        // Skips a bar that begins before the file: a part of a bar would shift all the others.
        var beats_per_bar = song_position().beats_per_bar;
        while (range.start < range.end && seconds_at(markers, range.start) < -EXACT_BEATS) {
            range.start += beats_per_bar;
        }
        seconds = { start: seconds_at(markers, range.start), end: seconds_at(markers, range.end) };
        tempo_bpm = (range.end - range.start) * 60 / (seconds.end - seconds.start);
    }
    var start = Math.max(0, seconds.start);
    if (seconds.end - start < 0.05) {
        show_status("The selected clip is too short to be a melody.");
        return;
    }
    set_melody([[
        "/bridge/capture/file", next_id(), path, "start_seconds", start,
        "length_seconds", seconds.end - start,
        "tempo_bpm", clamp(tempo_bpm, MIN_TEMPO_BPM, MAX_TEMPO_BPM),
        "numerator", number(song, "signature_numerator"),
        "denominator", number(song, "signature_denominator")
    ]], "clip " + quoted(clip), 0);
}

// The time in the file at a beat: linear between two markers, and extended beyond the outer ones.
function seconds_at(markers, beat) {
    var i = 1;
    while (i < markers.length - 1 && markers[i].beat_time < beat) i += 1;
    var before = markers[i - 1];
    var after = markers[i];
    return before.sample_time + (beat - before.beat_time)
        * (after.sample_time - before.sample_time) / (after.beat_time - before.beat_time);
}

function melody_from_notes(clip) {
    var range = audible_range(clip);
    var beats_per_bar = song_position().beats_per_bar;
    var bars = Math.max(1, Math.ceil((range.end - range.start) / beats_per_bar - EXACT_BEATS));
    var notes = notes_of(clip, range.start, range.end);
    if (notes.length === 0) {
        show_status("The selected clip has no notes in its loop.");
        return;
    }
    var id = next_id();
    var messages = [];
    for (var from = 0; from < notes.length; from += NOTES_PER_MESSAGE) {
        var message = ["/bridge/capture/notes", id, bars];
        for (var i = from; i < Math.min(notes.length, from + NOTES_PER_MESSAGE); i++) {
            message.push(notes[i].start, notes[i].pitch, notes[i].length);
        }
        messages.push(message);
    }
    messages.push(["/bridge/capture/stop", id]);
    set_melody(messages, "notes of " + quoted(clip), bars);
}

// Notes that sound between two beats of the clip; their starts count from the first of the two.
function notes_of(clip, start, end) {
    var answer = clip.call("get_notes_extended", 0, 128, start, end - start);
    var all = parse_dictionary(answer).notes || [];
    var notes = [];
    for (var i = 0; i < all.length; i++) {
        var first = Math.max(all[i].start_time, start);
        var last = Math.min(all[i].start_time + all[i].duration, end);
        if (!all[i].mute && last > first) {
            notes.push({
                start: first - start, pitch: all[i].pitch, length: Math.max(last - first, 0.01)
            });
        }
    }
    return notes;
}
