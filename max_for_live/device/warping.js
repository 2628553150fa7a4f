// Warp markers and loops of Live's clips.

// Live's numbers of the two warp modes.
var WARP_BEATS = 0;
var WARP_COMPLEX = 4;

// Whether the clip's first beat is the file's first frame, its last beat the last frame, and all
// markers between them are on one straight line.
function is_straight(live_clip, clip) {
    var markers = warp_markers(live_clip);
    if (markers.length < 2) return false;
    var seconds_per_beat = duration_seconds(live_clip) / clip.beats;
    function is_on_line(beat, seconds) {
        return is_same_frame(live_clip, seconds, beat * seconds_per_beat);
    }
    for (var i = 0; i < markers.length; i++) {
        var is_inside = markers[i].beat_time > 0 && markers[i].beat_time < clip.beats;
        if (is_inside && !is_on_line(markers[i].beat_time, markers[i].sample_time)) return false;
    }
    return is_on_line(0, seconds_at(markers, 0))
        && is_on_line(clip.beats, seconds_at(markers, clip.beats));
}

function is_end_marked(live_clip, clip) {
    return warp_markers(live_clip).some(function (marker) {
        return near(marker.beat_time, clip.beats);
    });
}

// Replaces the markers that Live has guessed by one straight line, from (0 beats, 0 s) to
// (all beats, all seconds).
function straighten(live_clip, clip) {
    var markers = warp_markers(live_clip);
    // The last marker is Live's own: Live keeps one behind all others.
    for (var i = markers.length - 2; i > 0; i--) {
        live_clip.call("remove_warp_marker", markers[i].beat_time);
    }
    set_marker(live_clip, 0, 0);
    var first = warp_markers(live_clip)[0];
    if (!near(first.beat_time, 0)) live_clip.call("remove_warp_marker", first.beat_time);
    set_marker(live_clip, clip.beats, duration_seconds(live_clip));
}

// Moves the marker at that time of the file to the beat, because Live accepts no second marker
// there; if there is none, adds one.
function set_marker(live_clip, beat, seconds) {
    var markers = warp_markers(live_clip);
    for (var i = 0; i < markers.length; i++) {
        var from = markers[i].beat_time;
        if (is_same_frame(live_clip, markers[i].sample_time, seconds)) {
            if (!near(from, beat)) live_clip.call("move_warp_marker", from, beat - from);
            return;
        }
    }
    add_marker(live_clip, beat, seconds);
}

function is_same_frame(clip, seconds, other_seconds) {
    return Math.abs(seconds - other_seconds) * number(clip, "sample_rate") < 0.5;
}

// Live expects a dictionary. Other functions accept a plain object; where this one does not, the
// script tries Max's own Dict.
function add_marker(live_clip, beat, seconds) {
    var before = warp_markers(live_clip).length;
    attempt(function () {
        live_clip.call("add_warp_marker", { beat_time: beat, sample_time: seconds });
    });
    if (warp_markers(live_clip).length !== before) return;
    var marker = new Dict();
    marker.set("beat_time", beat);
    marker.set("sample_time", seconds);
    attempt(function () { live_clip.call("add_warp_marker", marker); });
}

// Sets the warp mode and a loop of that many beats.
function set_loop(live_clip, beats) {
    var mode = offered_warp_mode(live_clip);
    if (number(live_clip, "warp_mode") !== mode) live_clip.set("warp_mode", mode);
    live_clip.set("looping", 1);
    set_range(live_clip, "loop_start", "loop_end", beats);
    set_range(live_clip, "start_marker", "end_marker", beats);
}

// Live refuses an end before a start, so the order depends on the present start.
function set_range(live_clip, start, end, beats) {
    if (number(live_clip, start) >= beats) live_clip.set(start, 0);
    live_clip.set(end, beats);
    live_clip.set(start, 0);
}

// Complex, which suits a whole mix; Beats in Live's smaller editions, which do not have Complex.
function offered_warp_mode(live_clip) {
    var modes = as_list(live_clip.get("available_warp_modes"));
    return modes.map(Number).indexOf(WARP_COMPLEX) >= 0 ? WARP_COMPLEX : WARP_BEATS;
}

function warp_markers(clip) {
    var dictionary = parse_dictionary(clip.get("warp_markers"));
    return dictionary.warp_markers || [];
}

function duration_seconds(clip) {
    return number(clip, "sample_length") / number(clip, "sample_rate");
}
