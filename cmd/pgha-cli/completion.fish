# fish completion of pgha-cli, printed by: pgha-cli completion fish
function __pgha_cli_complete
	set -l before (commandline --tokenize --cut-at-cursor --current-process)
	set -l current (commandline --current-token --cut-at-cursor)
	# What follows "--" is another program's. Asking would run it.
	if contains -- -- $before[2..]
		return
	end
	switch $current
		case --
			set -a before -
		case '-*'
			set -a before $current
	end
	# urfave/cli 2.27.7 prints what a command is for, too, where a variable called 0 ends in "zsh".
	env 0=zsh $before --generate-bash-completion 2>/dev/null | string replace --regex '^([^:]*):' '$1\t'
end
complete --command pgha-cli --no-files --condition 'test -n "$(__pgha_cli_complete)"' --arguments '(__pgha_cli_complete)'
