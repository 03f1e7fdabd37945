# bash completion for anchord(1)

_anchord()
{
    local current=${COMP_WORDS[COMP_CWORD]}
    local roles="network-anchor service-anchor external-rebinder wrap-rebinder attach-host"
    local commands="attach ban config detach doctor explain healthcheck list ruleset status version wrap"
    local words=""

    if ((COMP_CWORD == 1)); then
        words="$roles $commands --help --project --version"
    else
        case ${COMP_WORDS[1]} in
        attach) words="--address --dry-run --from --gateway --help --image --mac --no-start --parent --via-host" ;;
        ban) words="add del flush list --for --force --help --json --new-only --reason --socket" ;;
        config) words="--json --help" ;;
        detach) words="--help" ;;
        doctor) words="platform files address rules path workers stale-netns --anchor --from-lan --json --list --suppress --threshold --help" ;;
        explain) words="in out container from to --help --json --live" ;;
        healthcheck) words="--help" ;;
        list) words="--json --help" ;;
        ruleset) words="--help" ;;
        status) words="--html --json --watch --help" ;;
        version) words="--help" ;;
        wrap) words="--address --bridge --check --dhcp --engine --help --host-address --image --lan --output --ports-only --subnet" ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _anchord anchord
