ardour {
	["type"] = "EditorAction",
	name = "Melody Bridge: Selection to Clip",
	author = "Melody Bridge",
	license = "MIT",
	description = [[Makes a clip that follows the selected audio region. Give it a key or a pad.]]
}

function action_params ()
	return {
		["bars"] = { title = "Bars", default = "4" },
		["preset"] = { title = "Preset", default = "lofi-keys" }
	}
end

function factory (params)
	return function ()
		-- `melody-bridge ardour --install` sets this value.
		local DAEMON_PORT = 7771

		local function selected_region ()
			for region in Editor:get_selection ().regions:regionlist ():iter () do
				if not region:to_audioregion ():isnil () then
					return region
				end
			end
		end

		local region = selected_region ()
		if not region then
			LuaDialog.Message ("Melody Bridge", "Select an audio region: the clip follows it.",
				LuaDialog.MessageType.Info, LuaDialog.ButtonType.OK):run ()
			return
		end
		local daemon = ARDOUR.LuaOSC.Address ("osc.udp://127.0.0.1:" .. DAEMON_PORT)
		local bars = math.tointeger (tonumber (params["bars"])) or 4
		-- The processor time keeps two presses within a second apart.
		local press = string.format ("%d%06d", os.time (), math.floor (os.clock () * 1e6) % 1000000)
		local take = "ardour-" .. press .. "1"
		-- Ardour counts a region's samples at the session's rate, whatever the rate of its file.
		local rate = Session:nominal_sample_rate ()
		local map = Temporal.TempoMap.read ()
		local meter = map:meter_at (region:position ())
		daemon:send ("/bridge/capture/file", "sssfsfsfsisi", take,
			region:source (0):to_filesource ():path (),
			"start_seconds", region:start ():samples () / rate,
			"length_seconds", region:length ():samples () / rate,
			"tempo_bpm", map:quarters_per_minute_at (region:position ()),
			"numerator", meter:divisions_per_bar (), "denominator", meter:note_value ())
		daemon:send ("/bridge/generate", "ssssssisi", "ardour-" .. press .. "2", "melody", take,
			"preset", params["preset"] or "", "bars", bars,
			"sample_rate", math.floor (Session:nominal_sample_rate ()))
	end
end
