# One command for the job: make demo. One for the tests: make test. Each installs what it needs first, into the cache
# that tests/tools/workshop.py describes, never into the checkout.

# The one of the distribution where it will do: it is built with optimisation, and one of pyenv is a third slower.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11) python3)
# More arguments for the command of a target: make unit ARGS='-k durations -x'
ARGS ?=

WORKSHOP := $(PYTHON) tests/tools/workshop.py
RUN := $(WORKSHOP) run
COLLECTION := rhpds.litellm_virtual_keys

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- the job ---------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: ## Tell the life of two labs on a real LiteLLM that lives only for it
	@ANSIBLE_STDOUT_CALLBACK=$(COLLECTION).plain $(RUN) demo ansible-playbook playbooks/demo.yml $(ARGS)

.PHONY: portal
portal: ## Run gateway, portal, worker and a page with all mails on this machine, until Ctrl-C
	@$(RUN) demo python tests/tools/portal_demo.py $(ARGS)

# --- tests -----------------------------------------------------------------------------------------------------------

# On several cores at a time when all is run; tests/conftest.py tells how. One core: ARGS="-n 0".
PYTEST := $(RUN) --collections test pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

.PHONY: test
test: ## Run all tests: unit, integration on a real LiteLLM, molecule
	@$(PYTEST) tests/unit tests/integration tests/molecule $(ARGS)

.PHONY: unit
unit: ## Run the unit tests
	@$(PYTEST) tests/unit $(ARGS)

# Of the integration tests' playbooks and modules: CORE=core-2.17 or CORE=core-2.21@3.13. None: what pytest itself runs on.
CORE ?=
# The gateway: LITELLM=1.82.6 runs the tests of keys and labs on that LiteLLM (tests/requirements/litellm-1.82.6.txt). None: all tests, on
# the release that litellm_gateway pins.
LITELLM ?=
SUBJECTS := $(if $(LITELLM),tests/integration/keys tests/integration/agnosticd,tests/integration)
INTEGRATION := LITELLM_VIRTUAL_KEYS_TEST_CORE=$(CORE) LITELLM_VIRTUAL_KEYS_TEST_LITELLM=$(LITELLM) $(PYTEST) $(SUBJECTS)

.PHONY: integration
integration: ## Run the tests against a real LiteLLM; CORE=core-2.17 takes another ansible-core, LITELLM=1.82.6 another LiteLLM
	@$(INTEGRATION) $(ARGS)

.PHONY: integration-cold
integration-cold: ## Run the same with the installed ansible-playbook and nothing patched, as users do
	@LITELLM_VIRTUAL_KEYS_TEST_COLD=1 $(INTEGRATION) $(ARGS)

.PHONY: molecule
molecule: ## Run the molecule scenarios
	@$(PYTEST) tests/molecule $(ARGS)

.PHONY: matrix
matrix: ## Run unit tests and syntax checks on every supported ansible-core and Python that is here
	@$(PYTHON) tests/tools/matrix.py $(ARGS)

.PHONY: bench
bench: ## Measure, and print the figures
	@$(RUN) --collections bench python -m ansible_collections.$(COLLECTION).tests.bench $(ARGS)

.PHONY: drill
drill: ## Do harm to every job at every moment, run again, and say what was lost; LITELLM=1.82.6 ARGS="--only lives" lives on another LiteLLM
	@LITELLM_VIRTUAL_KEYS_TEST_LITELLM=$(LITELLM) $(RUN) --collections drill python -m ansible_collections.$(COLLECTION).tests.drill $(ARGS)

.PHONY: leak-check
leak-check: ## Hunt for secrets in output, processes and files, on every supported ansible-core
	@$(RUN) --collections test python -m ansible_collections.$(COLLECTION).tests.leak $(ARGS)

# --- gates -----------------------------------------------------------------------------------------------------------

GATES := ruff yamllint action-group argument-specs changelog mypy docs-lint ansible-lint sanity

.PHONY: lint $(GATES)
lint: ## Run every gate, and say what each took
	@$(PYTHON) tests/tools/stages.py $(GATES)

ruff: ## Gate: style and mistakes in Python
	@$(RUN) lint ruff check --output-format concise $(ARGS) .
	@$(RUN) lint ruff format --check --output-format concise .

yamllint: ## Gate: style of YAML
	@$(RUN) lint yamllint --strict .

action-group: ## Gate: meta/runtime.yml lists every module that takes the gateway's options
	@$(RUN) lint python tests/tools/check_action_group.py

argument-specs: ## Gate: each role's defaults and argument specs agree
	@$(RUN) lint python tests/tools/check_argument_specs.py

changelog: ## Gate: changelog fragments
	@$(RUN) lint antsibull-changelog lint

mypy: ## Gate: types
	@$(RUN) lint mypy -p ansible_collections.$(COLLECTION).plugins
	@$(RUN) lint mypy -p ansible_collections.$(COLLECTION).roles.litellm_gateway.files.gatewayctl
	@$(RUN) lint mypy -p ansible_collections.$(COLLECTION).roles.key_portal.files.portal
	@$(RUN) lint mypy -p ansible_collections.$(COLLECTION).roles.key_portal.files.portalctl
	@$(RUN) lint mypy tests/tools

docs-lint: ## Gate: what ansible-doc shows
	@$(RUN) lint antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs all .

ansible-lint: ## Gate: roles and playbooks, profile production
	@# A copy of the collection in the home of whoever runs this would be linted in place of the checkout.
	@ANSIBLE_HOME=$(CURDIR)/.ansible $(RUN) --collections lint ansible-lint --offline --nocolor --profile production $(ARGS)

sanity: ## Gate: ansible-test sanity
	@$(RUN) lint python tests/tools/sanity.py $(ARGS)

# --- what is published -----------------------------------------------------------------------------------------------

.PHONY: build
build: ## Build the artefact, in a folder outside of the checkout, and print its name
	@$(RUN) lint python tests/tools/artefact.py build

.PHONY: contents
contents: ## List what is in the artefact
	@$(RUN) lint python tests/tools/artefact.py contents

.PHONY: artefact-demo
artefact-demo: ## Install the artefact in an empty folder, with ansible-core and requests only, and run the demo from there
	@$(RUN) demo python tests/tools/artefact.py demo

.PHONY: importer
importer: ## Build the artefact and check it as Galaxy does
	@$(RUN) lint python tests/tools/artefact.py importer

.PHONY: docs
docs: ## Build the documentation site, outside of the checkout
	@$(RUN) lint python tests/tools/artefact.py docs

# --- upkeep ----------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: ## Only install what the targets need
	@$(WORKSHOP) setup demo test lint collections platform >/dev/null

.PHONY: pins
pins: ## Pin the newest tools that tests/requirements/*.in allow
	@$(WORKSHOP) pins

.PHONY: rule-options
rule-options: ## Write the tables of the approval rules' options into their guide
	@$(RUN) lint python tests/tools/rule_options.py

.PHONY: format
format: ## Bring Python into its format
	@$(RUN) lint ruff format .
	@$(RUN) lint ruff check --fix .

.PHONY: release-notes
release-notes: ## Write CHANGELOG.rst from the fragments, for the version in galaxy.yml
	@$(RUN) lint antsibull-changelog release --update-existing --refresh-plugins --reload-plugins

.PHONY: clean-cache
clean-cache: ## Remove everything that was installed
	@$(WORKSHOP) clean

.PHONY: clean
clean: ## Remove what tools left in the checkout
	@rm -rf tests/output .ansible .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
