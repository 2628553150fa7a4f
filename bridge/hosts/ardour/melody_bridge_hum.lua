ardour {
	["type"] = "EditorAction",
	name = "Melody Bridge: Hum to Clip",
	author = "Melody Bridge",
	license = "MIT",
	description = [[Takes the bars that were just hummed, and makes a clip that follows them. Give it a key or a pad.]]
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

		local daemon = ARDOUR.LuaOSC.Address ("osc.udp://127.0.0.1:" .. DAEMON_PORT)
		local bars = math.tointeger (tonumber (params["bars"])) or 4
		-- The processor time keeps two presses within a second apart.
		local press = string.format ("%d%06d", os.time (), math.floor (os.clock () * 1e6) % 1000000)
		local take = "ardour-" .. press .. "1"
		daemon:send ("/bridge/capture/last", "si", take, bars)
		daemon:send ("/bridge/generate", "ssssssisi", "ardour-" .. press .. "2", "melody", take,
			"preset", params["preset"] or "", "bars", bars,
			"sample_rate", math.floor (Session:nominal_sample_rate ()))
	end
end
