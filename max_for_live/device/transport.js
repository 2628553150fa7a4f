// The song's clock and key: observed in Live, and sent to the daemon.

// Shortest time between two transport messages while the song plays.
var TRANSPORT_MS = 100;
var NOTES = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"];
// The daemon's words for those of Live's scales that it knows.
var MODES = {
    Major: "major", Minor: "minor", Dorian: "dorian", Mixolydian: "mixolydian",
    Lydian: "lydian", Phrygian: "phrygian", Locrian: "locrian"
};

// Kept for as long as the device: Max would free them, and they would stop observing.
var observers = [];
// The newest transport message: when it was sent, its beat, and whether the song played.
var last_transport = { ms: 0, beat: 0, playing: 0 };

function observe() {
    var clock = [
        "tempo", "signature_numerator", "signature_denominator", "is_playing", "current_song_time"
    ];
    for (var i = 0; i < clock.length; i++) {
        observers.push(observe_property("live_set", clock[i], on_clock));
    }
    observers.push(observe_property("live_set", "tracks", function () { later(show_tracks, 0); }));
}

function observe_property(path, property, callback) {
    var api = new LiveAPI(callback, path);
    api.property = property;
    return api;
}

// Reports every change at once, and mere progress of the song a few times a second.
function on_clock(values) {
    if (!link.connected) return;
    var since_ms = now_ms() - last_transport.ms;
    var only_time_moved = values[0] === "current_song_time"
        && last_transport.playing && number(song, "is_playing");
    if (only_time_moved && since_ms < TRANSPORT_MS) {
        var expected = last_transport.beat + since_ms / 60000 * number(song, "tempo");
        if (Math.abs(Number(values[1]) - expected) < 0.25) return;
    }
    send_transport();
}

function send_transport() {
    var position = song_position();
    last_transport = { ms: now_ms(), beat: position.beat, playing: number(song, "is_playing") };
    var message = [
        "/bridge/transport", number(song, "tempo"), position.beat, last_transport.playing,
        position.numerator, position.denominator
    ];
    send(position.bar === null ? message : message.concat([position.bar, position.beat_in_bar]));
}

// Where the playhead is. Live counts the bars, because the meter may change within the song. `bar`
// and `beat_in_bar` are null where Live does not report them.
function song_position() {
    var beat = number(song, "current_song_time");
    var numerator = number(song, "signature_numerator");
    var denominator = number(song, "signature_denominator");
    var position = {
        beat: beat, numerator: numerator, denominator: denominator,
        beats_per_bar: 4 * numerator / denominator, bar: null, beat_in_bar: null
    };
    // "bars.beats.sixteenths.ticks", all counted from 1 except the ticks.
    var parts = String(song.call("get_current_beats_song_time")).split(".");
    if (parts.length === 4 && isFinite(parseInt(parts[0], 10))) {
        // The song's time gives the rest of the sixteenth: it is finer than a tick.
        var rest = beat * 4 - Math.floor(beat * 4);
        if (rest > 0.999999) rest = 0;
        position.bar = parseInt(parts[0], 10);
        position.beat_in_bar = (parseInt(parts[1], 10) - 1) * 4 / denominator
            + (parseInt(parts[2], 10) - 1) / 4 + rest / 4;
    }
    return position;
}

// The song's key while Live's scale is on, such as "Eb dorian"; empty: none.
function song_key() {
    // Live 11 has no scale mode.
    if (!controls.song_key || String(song.info).indexOf("scale_mode") < 0) return "";
    if (number(song, "scale_mode") !== 1) return "";
    var mode = MODES[string(song, "scale_name")];
    return mode ? NOTES[number(song, "root_note")] + " " + mode : "";
}
