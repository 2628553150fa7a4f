// To MIDI: the notes of the melody as a MIDI clip, in a MIDI track's next free slot.

// The notes that were asked for: the melody, its notes by their index, how often and when the device
// asked, and whether it waits until the melody is recorded; null: none.
var wanted_notes = null;

function to_midi() {
    if (!is_connected()) return;
    if (take) {
        show_status("Capture is still recording: wait for its last bar, or press Stop.");
    } else if (!melody) {
        show_status("No melody: press Last bars, Capture or From clip first.");
    } else {
        show_status("");
        wanted_notes = { melody: melody, notes: {}, asked: 0, asked_ms: now_ms(), waits: true };
        if (melody.is_done) ask_for_notes();
    }
}

// The daemon answers with a message a note, and a done.
function ask_for_notes() {
    wanted_notes.waits = false;
    wanted_notes.asked += 1;
    wanted_notes.asked_ms = now_ms();
    send(["/bridge/notes", wanted_notes.melody.id]);
}

// Asks where no answer came: the message that the melody is recorded may have been lost, too.
function repeat_notes() {
    if (!wanted_notes || now_ms() - wanted_notes.asked_ms <= KEEP_ALIVE_MS) return;
    if (wanted_notes.asked <= REPEATS) {
        ask_for_notes();
    } else {
        wanted_notes = null;
        show_status("The daemon sends no notes: update melody-bridge.");
    }
}

function on_note(id, index, count, start_beat, pitch, length_beats, confidence, velocity) {
    if (!wanted_notes || id !== wanted_notes.melody.id) return;
    wanted_notes.asked_ms = now_ms();
    wanted_notes.notes[index] = {
        start: start_beat, pitch: pitch, length: length_beats,
        velocity: velocity
    };
    if (Object.keys(wanted_notes.notes).length === count) place_notes();
}

// A capture ends with a done, and so does each list of its notes.
function on_notes_done(id, count) {
    if (melody && id === melody.id) melody.is_done = true;
    if (!wanted_notes || id !== wanted_notes.melody.id) return;
    if (wanted_notes.waits) {
        ask_for_notes();
    } else if (count === 0) {
        wanted_notes = null;
        show_status("The melody has no notes: hum or play one voice.");
    } else {
        // A note may have been lost.
        repeat_notes();
    }
}

function place_notes() {
    var wanted = wanted_notes;
    wanted_notes = null;
    var track = midi_track();
    if (!track) return;
    var slot = free_slot(track);
    if (!slot) {
        show_status("No free slot on " + quoted(track) + ": select another MIDI track.");
        return;
    }
    var beats = beats_of(wanted);
    attempt(function () { slot.call("create_clip", beats); });
    if (!number(slot, "has_clip")) {
        show_status("Live refused the notes on " + quoted(track) + ": select another MIDI track.");
        return;
    }
    var live_clip = new LiveAPI("id " + child_id(slot, "clip"));
    var name = wanted.melody.description;
    // Live applies some changes only after the script has returned.
    later(function () { fill_clip(live_clip, dictionaries_of(wanted.notes, beats), name); }, 0);
}

// The length of the clip: whole bars that hold the melody.
function beats_of(wanted) {
    var beats_per_bar = song_position().beats_per_bar;
    var bars = wanted.melody.bars;
    for (var index in wanted.notes) {
        var bar = Math.floor(wanted.notes[index].start / beats_per_bar + EXACT_BEATS) + 1;
        if (!wanted.melody.bars && bar > bars) bars = bar;
    }
    return bars * beats_per_bar;
}

// The notes as Live takes them; what is past the clip's end is cut.
function dictionaries_of(notes, beats) {
    var dictionaries = [];
    for (var index in notes) {
        var note = notes[index];
        if (note.start < beats - EXACT_BEATS) {
            dictionaries.push({
                pitch: note.pitch, start_time: note.start,
                duration: Math.min(note.length, beats - note.start), velocity: note.velocity
            });
        }
    }
    return dictionaries;
}

function fill_clip(live_clip, notes, name) {
    if (!exists(live_clip)) return;
    live_clip.set("name", name);
    live_clip.set("color", COLORS[0]);
    add_notes(live_clip, notes);
}

// Live expects a dictionary. Where a plain object is none to it, the script tries Max's own Dict.
function add_notes(live_clip, notes) {
    attempt(function () { live_clip.call("add_new_notes", { notes: notes }); });
    if (notes_of(live_clip, 0, number(live_clip, "length")).length > 0) return;
    var dictionary = new Dict();
    dictionary.parse(JSON.stringify({ notes: notes }));
    attempt(function () { live_clip.call("add_new_notes", dictionary); });
}

// The track for notes: the selected one if it is a MIDI track, else the automatic one, which is made
// if it is missing. Null: there is none; then the status line says why.
function midi_track() {
    var selected = new LiveAPI("live_set view selected_track");
    if (takes_notes(selected)) return selected;
    return find_track(function (track) {
        return string(track, "name") === MIDI_TRACK_NAME && takes_notes(track);
    }) || make_midi_track();
}

function takes_notes(track) {
    return exists(track) && number(track, "has_midi_input") === 1
        && number(track, "is_foldable") !== 1 && number(track, "is_frozen") !== 1;
}

function make_midi_track() {
    var made = make_track_by("create_midi_track", MIDI_TRACK_NAME);
    if (!made) show_status("Live made no MIDI track: select one, and press To MIDI again.");
    return made;
}
