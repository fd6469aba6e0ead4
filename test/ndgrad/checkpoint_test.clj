(ns ndgrad.checkpoint-test
  "Checkpoints: that they keep less and change nothing, what they refuse, and that they work inside of batches."
  (:require
   [clojure.java.io :as io]
   [clojure.java.shell :as shell]
   [clojure.test :refer [deftest is testing]]
   [ndgrad.core :as nd]
   [ndgrad.random :as random]
   [ndgrad.test-support :refer [close? same-tree?]])
  (:import
   (java.util SplittableRandom)
   (java.util.random RandomGenerator)
   (ndgrad Array GraphException NdException Random$Key)
   (ndgrad.autograd Node Tensor)))

(set! *warn-on-reflection* true)

(def ^:private m (nd/array [[0.5 -1.0 2.0] [1.5 0.25 -0.75]]))
(def ^:private v (nd/array [0.3 -0.7 1.1]))

(defn- saved-bytes
  "Bytes that the graph of `y` keeps for its rules."
  [^Array y]
  (loop [todo [(.orElseThrow (.gradFn ^Tensor (.tensor y)))], seen #{}, storages {}]
    (if-let [^Node n (peek todo)]
      (if (seen n)
        (recur (pop todo) seen storages)
        (recur (into (pop todo) (keep #(.orElse (.input n (int %)) nil)) (range (.arity n)))
               (conj seen n)
               (into storages (map (fn [^Tensor t] [(.storage t) (* (.length (.storage t)) (.itemsize (.dtype t)))]))
                     (.savedValues n))))
      (reduce + (vals storages)))))

(deftest checkpoints-keep-less-and-change-nothing
  (let [block (fn [x] (nd/tanh (nd/* (nd/sin x) (nd/exp (nd/cos x)))))
        chain (fn [f] (fn [x] (nd/sum (nth (iterate f x) 10))))
        plain (chain block)
        thrifty (chain (nd/checkpoint block))
        x (fn [] (nd/array (vec (repeat 1000 0.3)) {:requires-grad true}))]
    (is (close? (plain v) (thrifty v)))
    (is (close? ((nd/grad plain) v) ((nd/grad thrifty) v) 1e-15))
    (is (close? ((nd/hessian plain) v) ((nd/hessian thrifty) v)))
    (is (close? ((nd/jacobian (nd/grad plain) {:mode :reverse}) v)
                ((nd/jacobian (nd/grad thrifty) {:mode :reverse}) v)))
    (is (close? ((nd/vmap (nd/grad plain)) m) ((nd/vmap (nd/grad thrifty)) m)))
    (is (close? ((nd/grad (fn [m] (nd/sum ((nd/vmap plain) m)))) m)
                ((nd/grad (fn [m] (nd/sum ((nd/vmap thrifty) m)))) m)))
    (testing "one array a block is kept instead of three"
      (is (= (* 10 8000) (saved-bytes (thrifty (x)))))
      (is (= (* 31 8000) (saved-bytes (plain (x))))))
    (testing "several results, also integers and nested data"
      (let [f (fn [{:keys [x]}] {:s (nd/sin x) :n (nd/argmax x) :c [(nd/cos x)]})
            loss (fn [f] (fn [x] (let [{:keys [s c]} (f {:x x})] (nd/sum (nd/* s (first c))))))]
        (is (same-tree? (f {:x v}) ((nd/checkpoint f) {:x v})))
        (is (close? ((nd/grad (loss f)) v) ((nd/grad (loss (nd/checkpoint f))) v)))))
    (testing "arrays from outside get their gradients"
      (let [w (nd/array [1.0 2.0 3.0] {:requires-grad true})
            u (nd/exp w)]
        (nd/backward! (nd/sum ((nd/checkpoint (fn [x] (nd/* u (nd/* w x)))) v)))
        (is (close? (nd/* v (nd/* (nd/exp (nd/detach w)) (nd/+ 1.0 (nd/detach w)))) (nd/grad-of w)))))
    (testing "draws are replayed, and leave the generator where the plain function does"
      (let [noisy (fn [x] (nd/sum (nd/* x (nd/* x (random/randn [3])))))
            run (fn [f] (random/manual-seed! 11) [((nd/grad f) v) (random/randn [2])])]
        (is (same-tree? (run noisy) (run (nd/checkpoint noisy))))
        (is (same-tree? (run noisy) (run (nd/checkpoint (nd/checkpoint noisy)))))))
    (testing "also from generators of the JDK, whose words are drawn once"
      (let [generator (SplittableRandom. 7)
            noise (fn [x g] (nd/* x (random/randn [3] {:generator g})))
            loss (fn [f g] (fn [x] (nd/sum (nd/* (f x) (nd/dropout (nd/square (f x)) {:key g})))))
            twice (fn [f g] (fn [x] (f (f (nd/dropout x {:key g})))))
            run (fn [wrap make]
                  (let [g (make), f (wrap #(noise % g))]
                    [((nd/grad (loss f g)) v) ((nd/grad (wrap (loss (twice f g) g))) v) ((nd/hessian (loss f g)) v)
                     ((nd/vmap (nd/grad (loss f g))) m) (.nextLong ^RandomGenerator g)]))]
        (doseq [make [#(SplittableRandom. 7) #(java.util.Random. 7) #(.generator ^Random$Key (random/key 7))]]
          (is (same-tree? (run identity make) (run nd/checkpoint make)))
          (is (same-tree? (run identity make) (run (comp nd/checkpoint nd/checkpoint) make))))
        (testing "one that the function makes is drawn from anew in each run"
          (let [own (fn [x] (nd/sum (nd/dropout (nd/exp x) {:key (SplittableRandom. 3)})))]
            (is (close? ((nd/grad own) v) ((nd/grad (nd/checkpoint own)) v)))))
        (testing "more words than there is room for at first"
          (let [many (nd/checkpoint (fn [x] (nd/sum (nd/* x (random/randn [1000] {:generator generator})))))
                x (nd/requires-grad! (nd/full [1000] 2.0) true)
                y (many x)]
            (nd/backward! y)
            (is (close? y (nd/sum (nd/* 2.0 (nd/grad-of x)))))))))
    (testing "a changed argument is noticed"
      (let [a (nd/* 1.0 (x)), y (nd/sum ((nd/checkpoint block) a))]
        (nd/fill! a 2.0)
        (is (thrown-with-msg? NdException #"checkpoint" (nd/backward! y)))))))

(deftest checkpoints-refuse-functions-that-change
  (doseq [again [(fn [_] []) (fn [x] [x x]) (fn [x] [(nd/sum x)])]]
    (let [first? (atom true)
          f (nd/checkpoint (fn [x] (if @first? (do (reset! first? false) [(nd/exp x)]) (again x))))
          [y] (f (nd/array [1.0 2.0] {:requires-grad true}))]
      (is (thrown-with-msg? GraphException #"other shapes when it was run again" (nd/backward! (nd/sum y)))))))

(defn- in-heap
  "What a JVM of its own with so much heap says to forward and backward through 20 blocks of 10 sines
  of a million numbers: 1.6 GB of saved values, of which a block has 80 MB. `block` is code."
  [heap block]
  (let [code `(let [f# ~block, x# (nd/requires-grad! (nd/full [1000000] 0.5) true)]
                (nd/backward! (nd/sum (nth (iterate f# x#) 20)))
                (println "gradient of" (nd/size (nd/grad-of x#)))
                (shutdown-agents))
        {:keys [out err]} (shell/sh (str (io/file (System/getProperty "java.home") "bin" "java"))
                                    "--enable-native-access=ALL-UNNAMED" (str "-Xmx" heap)
                                    "-Dclojure.main.report=stderr"
                                    "-cp" (System/getProperty "java.class.path") "clojure.main"
                                    "-e" (pr-str `(do (require '~'ndgrad.core) ~code)))]
    (str out err)))

(deftest checkpoints-need-little-memory
  (let [block `(fn [x#] (nth (iterate nd/sin x#) 10))]
    (is (re-find #"gradient of 1000000" (in-heap "450m" `(nd/checkpoint ~block))))
    (is (re-find #"more than the heap has left|OutOfMemoryError" (in-heap "1200m" block)))))

(deftest checkpoints-in-batches
  (let [cube (nd/checkpoint (fn [x] (nd/* x (nd/* x x))))
        scaled (fn [w] (nd/checkpoint (fn [x] (nd/* x w))))
        w (nd/array [4.0 5.0 6.0])]
    (testing "derivatives inside of the batch, and around them"
      (is (close? (nd/* 3.0 (nd/square v)) ((nd/vmap (nd/grad cube)) v)))
      (is (close? (nd/* 6.0 v) ((nd/vmap (nd/grad (nd/grad cube))) v)))
      (is (close? (nd/* 6.0 v) ((nd/grad (fn [x] (nd/sum ((nd/vmap (nd/grad cube)) x)))) v))))
    (testing "by what the function takes from outside"
      (is (close? v ((nd/vmap (fn [x w] ((nd/grad (fn [w] ((scaled w) x))) w))) v w)))
      (is (close? v ((nd/grad (fn [w] (nd/sum ((nd/vmap (fn [x w] ((scaled w) x))) v w)))) w)))
      (is (close? (nd/diag (nd/* 2.0 v))
                  ((nd/hessian (fn [w] (nd/sum ((nd/vmap (fn [x w] ((scaled (nd/* w w)) x))) v w)))) w))))))

(deftest gradients-through-tangents-of-checkpoints
  (let [f (fn [x y] (nd/* (nd/* x x) (nd/sin y)))
        shared (nd/checkpoint f)
        closed (fn [x y] ((nd/checkpoint (fn [x] (f x y))) x))
        twice (nd/checkpoint (fn [x y] (shared x (nd/* 1.0 y))))
        results (nd/checkpoint (fn [x y] {:f (f x y) :x x :n (nd/argmax y)}))
        w (nd/array [0.3 0.5 -2.0])
        tangent (fn [f] (fn [x y] (second (nd/jvp (fn [x] (nd/exp (f x y))) [x] [w]))))
        value (fn [f] (fn [x y] (first (nd/jvp (fn [x] (f x y)) [x] [w]))))
        column (fn [f] (fn [x y] ((nd/jacobian (fn [t] (nd/sum (f (nd/* t x) y))) {:mode :forward}) (nd/array 1.0))))
        second-order (fn [f] (fn [x y] ((nd/hessian (fn [x] (nd/sum (nd/sin (f x y))))) x)))
        each (fn [f] (fn [x y] ((nd/vmap (fn [x y t] (second (nd/jvp (fn [x] (nd/exp (f x y))) [x] [t])))) x y w)))
        along-y (fn [f] (fn [x y] (second (nd/jvp (fn [y] (f x y)) [y] [w]))))]
    (doseq [[k g] {:shared shared, :closed closed, :twice twice, :results (comp :f results)}
            transform [tangent value column second-order each along-y]
            :let [loss (fn [f] (fn [x y] (nd/sum (nd/cos ((transform f) x y)))))]]
      (testing k
        (is (same-tree? ((nd/grad (loss f) {:argnums [0 1]}) v w) ((nd/grad (loss g) {:argnums [0 1]}) v w)))
        (is (same-tree? ((nd/hessian (loss f) {:argnums 1}) v w) ((nd/hessian (loss g) {:argnums 1}) v w)))))
    (testing "keep as little as others"
      (let [block (fn [x y] (nd/tanh (nd/* y (nd/sin (nd/exp (nd/cos (nd/* x y)))))))
            kept (fn [f] (saved-bytes (second (nd/jvp #(f % (nd/array (vec (repeat 1000 0.3)) {:requires-grad true}))
                                                      [(nd/ones [1000])] [(nd/ones [1000])]))))]
        (is (<= (kept (nd/checkpoint block)) (* 3 8000)))
        (is (< (* 6 8000) (kept block)))))))
