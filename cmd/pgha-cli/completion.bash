# bash completion of pgha-cli, printed by: pgha-cli completion bash
_pgha_cli() {
	local cur=${COMP_WORDS[COMP_CWORD]} word
	local -a before=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
	COMPREPLY=()
	# What follows "--" is another program's. Asking would run it.
	for word in "${before[@]}"; do
		[[ $word != -- ]] || return 0
	done
	case $cur in
	--) before+=(-) ;;
	-*) before+=("$cur") ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$(SHELL=bash "${COMP_WORDS[0]}" "${before[@]}" --generate-bash-completion 2>/dev/null)" -- "$cur")
}
complete -o default -F _pgha_cli pgha-cli
