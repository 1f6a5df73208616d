#compdef pgha-cli
# zsh completion of pgha-cli, printed by: pgha-cli completion zsh
_pgha_cli() {
	local cur=${words[CURRENT]}
	local -a before offers
	before=("${(@)words[2,CURRENT-1]}")
	# What follows "--" is another program's. Asking would run it.
	if (( ${before[(Ie)--]} )); then
		_files
		return
	fi
	case $cur in
	--) before+=(-) ;;
	-*) before+=("$cur") ;;
	esac
	# urfave/cli 2.27.7 prints what a command is for, too, where a variable called 0 ends in "zsh".
	offers=("${(@f)$(env 0=zsh "${words[1]}" "${(@)before}" --generate-bash-completion 2>/dev/null)}")
	if [[ -n ${offers[1]} ]]; then
		_describe command offers
	else
		_files
	fi
}
compdef _pgha_cli pgha-cli
