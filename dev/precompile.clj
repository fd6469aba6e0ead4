(ns precompile
  "Compiles the namespaces that need nothing but Clojure and the Java core, which then load in a fifth of the time:

    java -Dclojure.compile.path=FOLDER … clojure.main dev/precompile.clj

  This namespace has a form `ns` so that what Clojure loads for it is there before: it would be compiled with them.")

(run! compile '[ndgrad.core ndgrad.io ndgrad.optim ndgrad.random])
